#include "store/postgres/fault.h"

#include <algorithm>
#include <array>

namespace inventory::store::postgres {
namespace {

// Keys that another instance may have taken since they were read, and that a repetition reads
// anew. inventory_pkey: someone inserted items with ids of their own ahead of the sequence.
constexpr std::array<std::string_view, 3> kRacedKeys = {
    "inventory_ledger_pkey", "inventory_item_request_pkey", "inventory_pkey"};

}  // namespace

Fault fault_of(std::string_view sqlstate, std::string_view constraint) {
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
  // A value that the database cannot hold, or that the operator's own CHECK or key forbids. Other
  // violations (an exhausted sequence, 2200H; a column without a default, 23502) are mistakes of
  // the schema: the sender cannot help them, and every request would meet them.
  const bool is_of_a_value = sqlstate.starts_with("22") && sqlstate != "2200H";
  if (is_of_a_value || sqlstate == "23514" || sqlstate == "23505") {
    return Fault::refused;
  }
  return Fault::unavailable;
}

}  // namespace inventory::store::postgres
