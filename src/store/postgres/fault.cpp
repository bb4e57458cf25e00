#include "store/postgres/fault.h"

#include <algorithm>
#include <array>

namespace inventory::store::postgres {
namespace {

// Keys that another instance may have inserted since they were read; a retry reads them again.
// inventory_pkey: somebody inserted items with explicit ids ahead of the sequence.
constexpr std::array<std::string_view, 3> kRacedKeys = {
    "inventory_ledger_pkey", "inventory_item_request_pkey", "inventory_pkey"};

// The server's source files that raise 54000 for a limit of the whole database or of a table:
// transaction ids (writes stop before they wrap around), the maximum file size, and a full
// notification queue.
constexpr std::array<std::string_view, 5> kSourcesOfDatabaseLimits = {
    "varsup.c", "multixact.c", "md.c", "bufmgr.c", "async.c"};

// The source file of PL/pgSQL's RAISE: a function raises the error for its row, whatever SQLSTATE
// it uses. Errors that a function gets from another server (dblink, postgres_fdw), or for a missing
// privilege, have a context.
constexpr std::string_view kSourceOfRaise = "pl_exec.c";

// The source file that detects hidden rows (row_security = off): this concerns a statement's
// tables, not a row.
constexpr std::string_view kSourceOfRowSecurity = "rls.c";

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// A value that the database cannot store, that is too long for an operator's index (54000), or that
// an operator's CHECK, key or EXCLUDE forbids. Other violations (an exhausted sequence, 2200H; a
// foreign key, 23503; a column without a default, 23502) are not the sender's fault, and the
// operator can fix them.
bool is_of_the_data(const ServerError& error) {
  const auto sqlstate = error.sqlstate;
  return (sqlstate.starts_with("22") && sqlstate != "2200H") ||
         (sqlstate == "54000" && !is_one_of(kSourcesOfDatabaseLimits, error.source_file)) ||
         sqlstate == "23514" || sqlstate == "23505" || sqlstate == "23P01";
}

// Out of disk, memory or connections; stopping; read-only; a stale plan; tables whose rows are
// hidden. Not these, because one row can cause them:
//   26000  a prepared statement is gone: a trigger may drop them;
//   53400  a limit of a single statement (temp_file_limit);
//   57014  a statement that takes too long, perhaps in a trigger, or was cancelled by a person;
//   58...  a file that cannot be read: perhaps one bad block, or a trigger's library. A failed sync
//          is a PANIC.
bool is_of_the_server(const ServerError& error) {
  const auto sqlstate = error.sqlstate;
  return (sqlstate.starts_with("53") && sqlstate != "53400") ||
         (sqlstate.starts_with("57") && sqlstate != "57014") || sqlstate.starts_with("25") ||
         (sqlstate == "42501" && error.source_file == kSourceOfRowSecurity) ||
         (sqlstate == "0A000" && error.source_file == "plancache.c") || sqlstate == "54000";
}

}  // namespace

Fault fault_of(const ServerError& error) {
  const auto sqlstate = error.sqlstate;
  const bool is_raised = error.source_file == kSourceOfRaise || error.has_context;
  if (sqlstate.empty()) {
    return Fault::link_lost;
  }
  if (!is_raised && (sqlstate == "40003" || sqlstate == "08007")) {  // outcome unknown
    return Fault::in_doubt;
  }
  if (error.ends_the_session) {
    return sqlstate.starts_with("08") ? Fault::link_lost : Fault::unavailable;
  }
  if (sqlstate.starts_with("40")) {  // rolled back
    return Fault::retryable;
  }
  if (sqlstate == "55P03") {
    return Fault::locked;
  }
  if (sqlstate == "23505" && is_one_of(kRacedKeys, error.constraint)) {
    return Fault::retryable;
  }
  if (is_of_the_data(error)) {
    return Fault::refused;
  }
  if (!is_raised && is_of_the_server(error)) {
    return Fault::unavailable;
  }
  // Also class 08: our own link ends with FATAL or without a message; an ERROR is about a trigger's
  // link to another server (dblink, postgres_fdw).
  return Fault::failing;
}

bool may_be_of_the_session(std::string_view sqlstate) {
  return sqlstate.starts_with("0A") || sqlstate.starts_with("XX") || sqlstate == "26000" ||
         (sqlstate.starts_with("42") && sqlstate != "42501");
}

}  // namespace inventory::store::postgres
