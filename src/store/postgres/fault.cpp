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
// (writes stop before they wrap around), and a file that is as large as one can be.
constexpr std::array<std::string_view, 4> kSourcesOfDatabaseLimits = {"varsup.c", "multixact.c",
                                                                      "md.c", "bufmgr.c"};

}  // namespace

Fault fault_of(std::string_view sqlstate, std::string_view constraint,
               std::string_view source_file) {
  if (sqlstate == "40003" || sqlstate == "08007") {  // completion or transaction outcome unknown
    return Fault::in_doubt;
  }
  if (sqlstate.empty() || sqlstate.starts_with("08")) {
    return Fault::link_lost;
  }
  if (sqlstate.starts_with("40") || sqlstate == "55P03") {  // rolled back; lock not available
    return Fault::retryable;
  }
  if (sqlstate == "23505" && std::ranges::find(kRacedKeys, constraint) != kRacedKeys.end()) {
    return Fault::retryable;
  }
  // A value that the database cannot hold, that is too long for an index of the operator's (54000),
  // or that the operator's own CHECK, key or EXCLUDE forbids. Other violations (an exhausted
  // sequence, 2200H; a column without a default, 23502) are mistakes of the schema: the sender
  // cannot help them, and every request would meet them.
  const bool is_of_a_value = sqlstate.starts_with("22") && sqlstate != "2200H";
  const bool is_too_long =
      sqlstate == "54000" &&
      std::ranges::find(kSourcesOfDatabaseLimits, source_file) == kSourcesOfDatabaseLimits.end();
  if (is_of_a_value || is_too_long || sqlstate == "23514" || sqlstate == "23505" ||
      sqlstate == "23P01") {
    return Fault::refused;
  }
  return Fault::unavailable;
}

}  // namespace inventory::store::postgres
