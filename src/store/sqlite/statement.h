#pragma once

// Statement: a prepared statement that is kept and run repeatedly.
//
// Owns:    the statement; its connection outlives it.
// Threads: its connection's.
// Errors:  name the file, what was being done, and SQLite's message.
// Not:     no copies of bound text; it must live until the call returns.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <sqlite3.h>

#include "store/error.h"

namespace inventory::store::sqlite {

class Statement {
 public:
  Statement() = default;  // empty until a prepared one is assigned

  static Result<Statement> prepare(sqlite3* database, std::string_view sql);

  // Runs the statement with the values as parameters ?1, ?2, ... and calls `read(*this)` for each
  // row. If `read` returns a bool, false ends the reading. `doing` is a phrase for the error:
  // "reading the stock".
  template <class Read, class... Values>
  Result<void> each(std::string_view doing, Read read, const Values&... values) {
    int code = bind_from(1, values...);
    while (code == SQLITE_OK && (code = sqlite3_step(handle_.get())) == SQLITE_ROW) {
      if constexpr (std::is_same_v<decltype(read(*this)), bool>) {
        if (!read(*this)) {
          code = SQLITE_DONE;
          break;
        }
      } else {
        read(*this);
      }
      code = SQLITE_OK;
    }
    return finish(doing, code);
  }

  // The same for a statement that returns no rows.
  template <class... Values>
  Result<void> run(std::string_view doing, const Values&... values) {
    return each(doing, [](const Statement&) {}, values...);
  }

  // The columns of the current row, counted from 0. Text is valid until `read` returns.
  bool is_null(int column) const;
  std::int64_t integer(int column) const;  // any other type is converted, as SQLite does

  // Empty if it is not an integer.
  std::optional<std::int64_t> exact_integer(int column) const;

  // As a person would write it, for errors: 7, 2.5, 'many', NULL.
  std::string display(int column) const;

  std::string_view text(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };

  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  int bind_from(int /*parameter*/) { return SQLITE_OK; }

  template <class First, class... Rest>
  int bind_from(int parameter, const First& first, const Rest&... rest) {
    const int code = bind(parameter, first);
    return code == SQLITE_OK ? bind_from(parameter + 1, rest...) : code;
  }

  int bind(int parameter, std::int64_t value);
  int bind(int parameter, std::string_view value);
  int bind(int parameter, const std::optional<std::int64_t>& value);
  int bind(int parameter, const std::optional<std::string>& value);
  Result<void> finish(std::string_view doing, int code);

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

}  // namespace inventory::store::sqlite
