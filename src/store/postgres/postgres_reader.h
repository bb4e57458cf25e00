#pragma once

// The reader of a PostgreSQL: one transaction, REPEATABLE READ READ ONLY, on a connection of its
// own. A standby will do, also where the connection string names several hosts.
//
// Limits: call_deadline for a call. A standby may cancel a long transaction that replication
// has
//         to wait for (max_standby_streaming_delay): the error says so.

#include <chrono>
#include <memory>

#include "store/postgres/postgres_store.h"
#include "store/reader.h"

namespace inventory::store::postgres {

inline constexpr std::chrono::minutes kReaderCallDeadline{10};

// Throws std::invalid_argument if the connection string cannot be read; its text does not hold it.
// Of the options, the connection string, the tables and the connect timeout count.
std::unique_ptr<Reader> make_postgres_reader(
    PostgresOptions options, std::chrono::milliseconds call_deadline = kReaderCallDeadline);

}  // namespace inventory::store::postgres
