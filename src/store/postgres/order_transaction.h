#pragma once

// The transaction that decides a batch of orders: two round trips.
//   1. BEGIN; lock and read the items; read the earlier decisions of the batch's identities.
//   2. Write the changed items and the new ledger entries; COMMIT.

#include <span>
#include <vector>

#include "domain/decide_orders.h"
#include "store/postgres/session.h"
#include "store/store.h"

namespace inventory::store::postgres {

// With Locks::skip a statement more travels in the first: which of the items exist.
// After an error the transaction may still be open.
Task<Result<std::vector<domain::OrderDecision>>> decide_orders(
    Session& session, std::span<const domain::Order> orders, Locks locks, Deadline deadline);

}  // namespace inventory::store::postgres
