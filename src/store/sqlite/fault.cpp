#include "store/sqlite/fault.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace inventory::store::sqlite {
namespace {

// SQLite's message if an item gets the id of another one, or of a deleted one.
constexpr std::array<std::string_view, 2> kIdTaken = {
    "UNIQUE constraint failed: inventory.id",
    "UNIQUE constraint failed: inventory_ledger.product_id, inventory_ledger.identity"};

bool is_id_taken(int extended_code, std::string_view text) {
  return extended_code == SQLITE_CONSTRAINT_PRIMARYKEY &&
         std::ranges::find(kIdTaken, text) != kIdTaken.end();
}

// What an operator must know beyond SQLite's message.
std::string_view hint_of(int extended_code, std::string_view text) {
  if (is_id_taken(extended_code, text)) {
    return "; sqlite_sequence was changed, and its ids were given before: set the seq of inventory "
           "to the highest product_id in inventory_ledger whose identity is 'opening'";
  }
  switch (extended_code & 0xff) {
    case SQLITE_CORRUPT:
      return "; the file is damaged: restore it from a backup";
    case SQLITE_NOTADB:
      return "; the file is something else than a SQLite database";
    case SQLITE_INTERRUPT:
      return "; it takes too long, in a trigger perhaps";
    case SQLITE_FULL:
      return "; make room and the same requests will pass";
    default:
      return "";
  }
}

}  // namespace

Fault fault_of(int extended_code, std::string_view text) {
  if (is_id_taken(extended_code, text)) {
    return Fault::unavailable;
  }
  switch (extended_code) {
    case SQLITE_CONSTRAINT_TRIGGER:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
    case SQLITE_CONSTRAINT_NOTNULL:
      return Fault::failing;
    default:
      break;
  }
  switch (extended_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Fault::retryable;
    case SQLITE_ERROR:
    case SQLITE_INTERRUPT:  // took too long (connection.h)
      return Fault::failing;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return Fault::refused;
    default:
      return Fault::unavailable;
  }
}

Error error_of(sqlite3* database, std::string_view file, std::string_view doing) {
  const int code = sqlite3_extended_errcode(database);
  const char* text = sqlite3_errmsg(database);
  return {fault_of(code, text), fmt::format("SQLite database {}: {}: {} (code {}){}", file, doing,
                                            text, code, hint_of(code, text))};
}

}  // namespace inventory::store::sqlite
