#include "store/sqlite/statement.h"

#include <fmt/format.h>

#include "store/sqlite/fault.h"

namespace inventory::store::sqlite {

Result<Statement> Statement::prepare(sqlite3* database, std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(error_of(database, sqlite3_db_filename(database, "main"),
                                    fmt::format("preparing \"{}\"", sql)));
  }
  return Statement(handle);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::optional<std::int64_t> Statement::exact_integer(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_INTEGER
             ? std::optional(integer(column))
             : std::nullopt;
}

std::string Statement::display(int column) const {
  constexpr std::size_t kMax = 100;
  switch (sqlite3_column_type(handle_.get(), column)) {
    case SQLITE_NULL:
      return "NULL";
    case SQLITE_TEXT:
      return fmt::format("'{}'", text(column).substr(0, kMax));
    case SQLITE_BLOB:
      return "a BLOB";
    default:
      return std::string(text(column));
  }
}

std::string_view Statement::text(int column) const {
  // The pointer first: the call may convert the value to text, whose size is needed.
  const unsigned char* data = sqlite3_column_text(handle_.get(), column);
  if (data == nullptr) {
    return {};
  }
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return {reinterpret_cast<const char*>(data), size};
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) {
    return std::nullopt;
  }
  return std::string(text(column));
}

int Statement::bind(int parameter, std::int64_t value) {
  return sqlite3_bind_int64(handle_.get(), parameter, value);
}

int Statement::bind(int parameter, std::string_view value) {
  // A null pointer would bind NULL, and an empty view may contain one.
  const char* data = value.data() == nullptr ? "" : value.data();
  return sqlite3_bind_text64(handle_.get(), parameter, data, value.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

int Statement::bind(int parameter, const std::optional<std::int64_t>& value) {
  return value ? bind(parameter, *value) : sqlite3_bind_null(handle_.get(), parameter);
}

int Statement::bind(int parameter, const std::optional<std::string>& value) {
  return value ? bind(parameter, std::string_view(*value))
               : sqlite3_bind_null(handle_.get(), parameter);
}

Result<void> Statement::finish(std::string_view doing, int code) {
  sqlite3* database = sqlite3_db_handle(handle_.get());
  Result<void> result;
  if (code != SQLITE_DONE) {
    result = std::unexpected(error_of(database, sqlite3_db_filename(database, "main"), doing));
  }
  // A statement that is not reset keeps its read snapshot, which blocks checkpoints.
  sqlite3_reset(handle_.get());
  return result;
}

}  // namespace inventory::store::sqlite
