#pragma once

// The transaction that adds a batch of items: two round trips.
//   1. BEGIN; read the items that the batch's identities got before; draw ids.
//   2. Write items, their opening ledger entries and the requests with their answers; COMMIT.

#include <span>
#include <vector>

#include "domain/item.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

// After an error the transaction may still be open.
Task<Result<std::vector<domain::ItemDecision>>> add_items(Session& session,
                                                          std::span<const domain::NewItem> requests,
                                                          Deadline deadline);

}  // namespace inventory::store::postgres
