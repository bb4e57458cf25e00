#pragma once

// Entries of the ledger as people are shown them (store/reader.h).

#include <cstddef>
#include <vector>

#include "store/postgres/session.h"
#include "store/reader.h"

namespace inventory::store::postgres {

// By the index inventory_ledger_decided_at. Without it all entries of the product are read.
Task<Result<std::vector<StoredEntry>>> stored_entries(Session& session, domain::ProductId product,
                                                      EntryPlace before, std::size_t count,
                                                      Deadline deadline);

// By the primary key.
Task<Result<std::vector<StoredEntry>>> stored_entries_of_order(Session& session, OrderSearch search,
                                                               Deadline deadline);

}  // namespace inventory::store::postgres
