#pragma once

// The transaction that decides a batch of requests, of any kinds: two round trips.

#include <span>
#include <vector>

#include "domain/command.h"
#include "store/postgres/session.h"
#include "store/store.h"

namespace inventory::store::postgres {

// `partition`: new items get its ids. After an error the transaction is still open, unless the
// session is lost.
Task<Result<std::vector<domain::Decision>>> execute(Session& session,
                                                    std::span<const domain::Command> commands,
                                                    Locks locks,
                                                    std::vector<domain::StockNews>* news,
                                                    domain::Partition partition, Deadline deadline);

// See Store::try_another(). After an error: as with execute().
Task<Result<void>> try_another(Session& session, std::span<const domain::ProductId> products,
                               Deadline deadline);

}  // namespace inventory::store::postgres
