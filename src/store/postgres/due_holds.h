#pragma once

// Looks for open holds that are due: one query, outside of a transaction.

#include <optional>
#include <vector>

#include "domain/hold.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

// See Store::due_holds().
Task<Result<std::vector<domain::Hold>>> due_holds(Session& session,
                                                  std::optional<domain::Hold> after,
                                                  std::size_t count, Deadline deadline);

}  // namespace inventory::store::postgres
