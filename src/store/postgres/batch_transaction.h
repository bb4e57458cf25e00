#pragma once

// The transaction that decides a batch of requests, of whatever kinds: two round trips.

#include <span>
#include <vector>

#include "domain/command.h"
#include "store/postgres/session.h"
#include "store/store.h"

namespace inventory::store::postgres {

// `partition`: whose ids new items get. Leaves the transaction open where it returns an error,
// unless the session is lost.
Task<Result<std::vector<domain::Decision>>> execute(Session& session,
                                                    std::span<const domain::Command> commands,
                                                    Locks locks,
                                                    std::vector<domain::StockNews>* news,
                                                    domain::Partition partition, Deadline deadline);

// See Store::try_another(). The same of the transaction.
Task<Result<void>> try_another(Session& session, std::span<const domain::ProductId> products,
                               Deadline deadline);

}  // namespace inventory::store::postgres
