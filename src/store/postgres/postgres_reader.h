#pragma once

// The reader for PostgreSQL: one transaction, REPEATABLE READ READ ONLY, on a connection of its
// own. A standby is enough, even if the connection string names several hosts.
//
// Limits: call_deadline for a call. A standby may cancel a long transaction that replication waits
//         for (max_standby_streaming_delay): the error says so.

#include <chrono>
#include <memory>

#include "store/postgres/postgres_store.h"
#include "store/reader.h"

namespace inventory::store::postgres {

inline constexpr std::chrono::minutes kReaderCallDeadline{10};

// Throws std::invalid_argument if the connection string cannot be read, without quoting it.
// Of the options, only the connection string, the tables and the connect timeout are used.
std::unique_ptr<Reader> make_postgres_reader(
    PostgresOptions options, std::chrono::milliseconds call_deadline = kReaderCallDeadline);

}  // namespace inventory::store::postgres
