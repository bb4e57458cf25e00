#pragma once

// The second round trip of a batch: writes what has changed, and commits.

#include "domain/books.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

// Queues the statements, each only where something needs it, and the COMMIT.
void queue_writes(Session& session, const domain::Changes& changes);

}  // namespace inventory::store::postgres
