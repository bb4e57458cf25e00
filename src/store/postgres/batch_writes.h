#pragma once

// The second round trip of a batch: writes what has changed, then commits or rolls back.

#include "domain/books.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

enum class Ending { commit, roll_back };

// Queues the statements that the changes need, and the end of the transaction.
void queue_writes(Session& session, const domain::Changes& changes, Ending ending);

}  // namespace inventory::store::postgres
