#pragma once

// Commands that the transactions share.

#include <string_view>

#include "store/postgres/session.h"

namespace inventory::store::postgres {

// Said in full, whatever defaults the role or the database has: the statements count on each
// seeing what was committed before it, and a batch that changes nothing is decided as well.
inline constexpr Statement kBegin{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"};

// For a transaction that changes no row: a COMMIT waits for the synchronous standby only if its
// transaction has written to the write-ahead log; by then the standby has everything that it read.
// Without, an answer could be repeated that a failover then loses: one whose own COMMIT was cut off
// while it waited. A transaction id is not enough, and a row lock would be, but not every request
// has a row to lock.
// (https://www.postgresql.org/docs/15/functions-admin.html#FUNCTIONS-REPLICATION)
inline constexpr Statement kWriteToLog{
    "write_to_log", "SELECT pg_logical_emit_message(true, 'inventory-service', '')"};

// A decision that was answered must outlive the server: a role or database may default to off.
// Other values promise at least that much, and are the operator's choice.
inline constexpr Statement kKeepCommits{"keep_commits",
                                        "SELECT set_config('synchronous_commit', 'on', false) "
                                        "WHERE current_setting('synchronous_commit') = 'off'"};

// From PostgreSQL 17 on a role may have a limit for whole transactions. A migration or a look at a
// large ledger would end at it each time. Calls have deadlines of their own.
inline constexpr Statement kNoTransactionTimeout{
    "no_transaction_timeout",
    "SELECT set_config('transaction_timeout', '0', false) "
    "WHERE current_setting('transaction_timeout', true) IS NOT NULL"};

// A statement whose client is gone ends, also one that no timeout ends because its trigger catches
// that; else its locks would stay. Not every system has it.
// (https://www.postgresql.org/docs/15/runtime-config-connection.html)
inline constexpr Statement kEndWithoutClient{
    "end_without_client",
    "DO $$ BEGIN SET client_connection_check_interval = '2s'; "
    "EXCEPTION WHEN OTHERS THEN NULL; END $$"};

// Citus cannot make a plan that it does not know the parameters of, for INSERT ... SELECT or a join
// with unnest(). Elsewhere one plan for all is cheaper (connection_info.cpp).
inline constexpr Statement kPlanForCitus{
    "plan_for_citus",
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', false) "
    "WHERE to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL"};

// Those at session level, which only a trigger takes. They outlast COMMIT and ROLLBACK.
inline constexpr Statement kReleaseLocks{"release_locks", "SELECT pg_advisory_unlock_all()"};

// The tables that every batch writes to, and those of one that adds items: for write_check.h.
inline constexpr std::string_view kStockTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger')";
inline constexpr std::string_view kAllTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger'), "
    "to_regclass('inventory_item_request')";
inline constexpr std::string_view kHoldTable = "to_regclass('inventory_hold')";

}  // namespace inventory::store::postgres
