#pragma once

// Statements shared by the transactions.

#include <string_view>

#include "store/postgres/session.h"

namespace inventory::store::postgres {

// In full, because the role or the database may have other defaults: each statement must see what
// was committed before it, and the transaction must be writable.
inline constexpr Statement kBegin{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"};

// For a transaction that changes no row. COMMIT waits for the synchronous standby only if its
// transaction wrote to the write-ahead log, which a transaction id alone does not; then the standby
// also has everything that was read. Otherwise the transaction could replay an answer whose own
// COMMIT was cut off while it waited for the standby, and which a failover would lose. A row lock
// is written to the log too, but not every request has a row to lock.
// (https://www.postgresql.org/docs/15/functions-admin.html#FUNCTIONS-REPLICATION)
inline constexpr Statement kWriteToLog{
    "write_to_log", "SELECT pg_logical_emit_message(true, 'inventory-service', '')"};

// An answered decision must survive a crash of the server, but a role or database may default to
// off. Other values are at least as safe as required, and are the operator's choice.
inline constexpr Statement kKeepCommits{"keep_commits",
                                        "SELECT set_config('synchronous_commit', 'on', false) "
                                        "WHERE current_setting('synchronous_commit') = 'off'"};

// From PostgreSQL 17 on, a role may have a limit for whole transactions. It would end every
// migration and every read of a large ledger. Calls have deadlines of their own.
inline constexpr Statement kNoTransactionTimeout{
    "no_transaction_timeout",
    "SELECT set_config('transaction_timeout', '0', false) "
    "WHERE current_setting('transaction_timeout', true) IS NOT NULL"};

// Ends a statement whose client is gone, even if its trigger catches timeouts; else its locks would
// stay. Not every system supports this.
// (https://www.postgresql.org/docs/15/runtime-config-connection.html)
inline constexpr Statement kEndWithoutClient{
    "end_without_client",
    "DO $$ BEGIN SET client_connection_check_interval = '2s'; "
    "EXCEPTION WHEN OTHERS THEN NULL; END $$"};

// Citus cannot plan an INSERT ... SELECT or a join with unnest() without knowing the parameters.
// Elsewhere a generic plan is cheaper (connection_info.cpp).
inline constexpr Statement kPlanForCitus{
    "plan_for_citus",
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', false) "
    "WHERE to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL"};

// Advisory locks at session level, which only a trigger takes. They outlast COMMIT and ROLLBACK.
inline constexpr Statement kReleaseLocks{"release_locks", "SELECT pg_advisory_unlock_all()"};

// The tables that every batch writes to, and those of one that adds items: for write_check.h.
inline constexpr std::string_view kStockTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger')";
inline constexpr std::string_view kAllTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger'), "
    "to_regclass('inventory_item_request')";
inline constexpr std::string_view kHoldTable = "to_regclass('inventory_hold')";

}  // namespace inventory::store::postgres
