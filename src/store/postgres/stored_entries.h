#pragma once

// Ledger entries for display (store/reader.h).

#include <cstddef>
#include <vector>

#include "store/postgres/session.h"
#include "store/reader.h"

namespace inventory::store::postgres {

// Uses the index inventory_ledger_decided_at. Without it, reads all entries of the product.
Task<Result<std::vector<StoredEntry>>> stored_entries(Session& session, domain::ProductId product,
                                                      EntryPlace before, std::size_t count,
                                                      Deadline deadline);

// Uses the primary key.
Task<Result<std::vector<StoredEntry>>> stored_entries_of_order(Session& session, OrderSearch search,
                                                               Deadline deadline);

}  // namespace inventory::store::postgres
