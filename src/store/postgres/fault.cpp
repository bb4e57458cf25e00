#include "store/postgres/fault.h"

#include <algorithm>
#include <array>

namespace inventory::store::postgres {
namespace {

// Keys that another instance may have taken since they were read, and that a repetition reads
// anew. inventory_pkey: someone inserted items with ids of their own ahead of the sequence.
constexpr std::array<std::string_view, 3> kRacedKeys = {
    "inventory_ledger_pkey", "inventory_item_request_pkey", "inventory_pkey"};

// Who in the server raises 54000 for a limit of the whole database or of a table: transaction ids
// (writes stop before they wrap around), a file that is as large as one can be, and a full queue of
// notifications.
constexpr std::array<std::string_view, 5> kSourcesOfDatabaseLimits = {
    "varsup.c", "multixact.c", "md.c", "bufmgr.c", "async.c"};

// Where RAISE of PL/pgSQL is: a function says so, for the row that it was called for, whatever
// SQLSTATE it borrows. What another server tells a function (dblink, postgres_fdw), or what it has
// no right to do, has a context.
constexpr std::string_view kSourceOfRaise = "pl_exec.c";

// Where it is found that rows are hidden (row_security = off): of the tables of a statement,
// whatever the row.
constexpr std::string_view kSourceOfRowSecurity = "rls.c";

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// A value that the database cannot hold, that is too long for an index of the operator's (54000),
// or that the operator's own CHECK, key or EXCLUDE forbids. Other violations (an exhausted
// sequence, 2200H; a foreign key, 23503; a column without a default, 23502) the sender cannot help,
// and may be put right.
bool is_of_the_data(const ServerError& error) {
  const auto sqlstate = error.sqlstate;
  return (sqlstate.starts_with("22") && sqlstate != "2200H") ||
         (sqlstate == "54000" && !is_one_of(kSourcesOfDatabaseLimits, error.source_file)) ||
         sqlstate == "23514" || sqlstate == "23505" || sqlstate == "23P01";
}

// Out of disk, memory or connections; stopping; read-only; a plan that has grown old; tables whose
// rows are hidden. Not among them, because one row can cause it:
//   26000  a prepared statement is gone: a trigger may drop them;
//   53400  a limit of one statement's (temp_file_limit);
//   57014  a statement that takes too long, in a trigger perhaps, or that a person cancelled;
//   58...  a file that cannot be read, of which one block may be bad, or a trigger's library. What
//          cannot be synced is a PANIC.
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
  // Class 08 as well: our own link ends with FATAL or in silence. An ERROR is of another link, of a
  // trigger's (dblink, postgres_fdw).
  return Fault::failing;
}

bool may_be_of_the_session(std::string_view sqlstate) {
  return sqlstate.starts_with("0A") || sqlstate.starts_with("XX") || sqlstate == "26000" ||
         (sqlstate.starts_with("42") && sqlstate != "42501");
}

}  // namespace inventory::store::postgres
