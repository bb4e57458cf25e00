#include "store/postgres/batch_reads.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/stored_bytes.h"
#include "store/postgres/transaction.h"
#include "store/postgres/unreadable.h"
#include "store/postgres/write_check.h"

namespace inventory::store::postgres {
namespace {

using Element = BinaryArray::Element;

// In the order of ids, so that two instances cannot deadlock. NO KEY: rows that refer to an item
// may be written meanwhile (a foreign key's check takes FOR KEY SHARE, which FOR UPDATE would
// block).
constexpr Statement kLockItems{"lock_items", R"sql(
SELECT id::bigint, quantity::bigint, version::bigint, low_stock::bigint FROM inventory
WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE)sql"};

// The same, without those locked by others.
constexpr Statement kLockFreeItems{"lock_free_items", R"sql(
SELECT id::bigint, quantity::bigint, version::bigint, low_stock::bigint FROM inventory
WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)sql"};

constexpr Statement kFindItems{"find_items", R"sql(
SELECT id::bigint FROM inventory WHERE id = ANY($1::bigint[]))sql"};

// A separate statement after the lock, so that its snapshot sees what another instance decided
// while this one waited. LATERAL with LIMIT 1 forces one index lookup per key; a plain join may
// scan all entries of a product.
const Statement& read_entries() {
  static const auto kSql = fmt::format(R"sql(
SELECT key.place, {1}, earlier.quantity::bigint, earlier.delta::bigint,
  earlier.quantity_after::bigint, {2}, earlier.message_hash::bigint, earlier.version::bigint
FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS key (product_id, identity, place)
CROSS JOIN LATERAL (
  SELECT outcome, quantity, delta, quantity_after, terms, message_hash, version
  FROM inventory_ledger
  WHERE product_id = key.product_id AND identity = key.identity LIMIT 1) AS earlier
WHERE {0})sql",
                                       unless_rules(kStockTables, "$3"),
                                       bytes_of("earlier.outcome"), bytes_of("earlier.terms"));
  static const Statement kStatement{"read_entries", kSql.c_str()};
  return kStatement;
}

const Statement& read_requests() {
  static const auto kSql =
      fmt::format(R"sql(
SELECT asked.identity, earlier.product_id::bigint, earlier.quantity::bigint,
  {1}, earlier.created_at::timestamp, earlier.chosen_id::bigint,
  earlier.low_stock::bigint, earlier.product_id IS NULL
FROM unnest($1::text[]) AS asked (identity)
CROSS JOIN LATERAL (
  SELECT product_id, quantity, description, created_at, chosen_id, low_stock
  FROM inventory_item_request WHERE identity = asked.identity LIMIT 1) AS earlier
WHERE {0})sql",
                  unless_rules(kAllTables, "$2"), bytes_of("earlier.description"));
  static const Statement kStatement{"read_requests", kSql.c_str()};
  return kStatement;
}

// Unused ids, from the sequence owned by the column id, whatever its name. A partition ($3 of $2)
// takes its own id from the block of $2 ids that contains the sequence's value. If rows with
// explicit ids were copied in, the sequence is behind them: then as many more ids are drawn as may
// be taken, at most 100,000 in a batch, which moves the sequence past them. Ids of a failed batch
// are not reused.
constexpr Statement kDrawIds{"draw_ids", R"sql(
WITH first AS MATERIALIZED (
  SELECT value - value % $2::bigint + $3::bigint AS id
  FROM nextval(pg_get_serial_sequence('inventory', 'id')) AS value
), drawn AS MATERIALIZED (
  SELECT id FROM first
  UNION ALL
  SELECT value - value % $2::bigint + $3::bigint
  FROM (SELECT nextval(pg_get_serial_sequence('inventory', 'id')) AS value
    FROM generate_series(2, $1::bigint + (
      SELECT count(*) FROM (SELECT FROM inventory WHERE id >= (SELECT id FROM first) LIMIT 100000)
        AS ahead))) AS more
)
SELECT id FROM drawn WHERE NOT EXISTS (SELECT FROM inventory WHERE inventory.id = drawn.id)
ORDER BY id LIMIT $1::bigint)sql"};

// The same if the tables are on another node (Citus): the sequence is on this node, and one
// statement cannot use both. A taken id shows when it is written, and the batch is repeated.
constexpr Statement kDrawIdsHere{"draw_ids_here", R"sql(
SELECT value - value % $2::bigint + $3::bigint AS id
FROM (SELECT nextval(pg_get_serial_sequence('inventory', 'id')) AS value
  FROM generate_series(1, $1::bigint)) AS drawn
ORDER BY id)sql"};

// Batches that draw ids share a lock; a batch that moves the sequence beyond an id chosen by a
// request takes it exclusively: else it could move the sequence back to ids in use. 6909558 is
// 0x696e76, "inv", as in schema.cpp; this is the next number.
constexpr Statement kShareSequence{"share_sequence",
                                   "SELECT pg_advisory_xact_lock_shared(6909559, "
                                   "hashtext(current_schema()))"};
constexpr Statement kLockSequence{"lock_sequence",
                                  "SELECT pg_advisory_xact_lock(6909559, "
                                  "hashtext(current_schema()))"};
constexpr Statement kMoveSequence{"move_sequence", R"sql(
SELECT setval(pg_get_serial_sequence('inventory', 'id'), $1::bigint)
WHERE $1::bigint > nextval(pg_get_serial_sequence('inventory', 'id')))sql"};

// The start of the transaction, as in the column decided_at.
constexpr Statement kReadTime{"read_time", "SELECT now() AT TIME ZONE 'UTC'"};

// Applies until the transaction ends.
constexpr Statement kHurry{"hurry",
                           "SELECT set_config('statement_timeout', '250ms', true), "
                           "set_config('lock_timeout', '5ms', true)"};

// For Locks::wait_briefly: the row that somebody keeps locked is already known.
constexpr Statement kHurryForLocks{"hurry_for_locks",
                                   "SELECT set_config('lock_timeout', '10ms', true)"};

std::string number_text(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "NULL";
}

// Empty if it is not a valid quantity.
std::optional<domain::Quantity> quantity_of(std::optional<std::int64_t> number) {
  return number && *number >= 0 && *number <= domain::kQuantityMax ? number : std::nullopt;
}

void fill_items(const PGresult* rows, domain::Books& books, Unreadable& unreadable) {
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto id = read_bigint(rows, row, 0);
    const auto quantity = read_bigint(rows, row, 1);
    if (const auto stock = quantity_of(quantity); id && stock) {
      books.found(*id, {.quantity = *stock,
                        .version = read_bigint(rows, row, 2).value_or(0),
                        .low_stock = read_bigint(rows, row, 3)});
    } else {
      unreadable.add(id.value_or(0), "inventory", fmt::format("id {}", number_text(id)),
                     fmt::format("quantity is {}", number_text(quantity)));
    }
  }
}

void fill_entries(const PGresult* rows, const domain::Needs& needs, domain::Books& books,
                  Unreadable& unreadable) {
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto at = static_cast<std::size_t>(read_bigint(rows, row, 0).value_or(0) - 1);
    const auto& [product, identity] = needs.entries.at(at);
    const auto word = read_text(rows, row, 1);
    const auto quantity = read_bigint(rows, row, 2);
    const auto delta = read_bigint(rows, row, 3);
    const auto outcome = word ? domain::find_outcome(*word) : std::nullopt;
    const auto flaw = domain::flaw_of(identity, {word, quantity, delta});
    if (!flaw.empty() || !outcome || !quantity || !delta) {
      unreadable.add(product, "inventory_ledger",
                     fmt::format("product_id {}, identity {}", product, identity), flaw);
      continue;
    }
    books.found(at, {.key = {},
                     .outcome = *outcome,
                     .quantity = *quantity,
                     .delta = *delta,
                     .quantity_after = read_bigint(rows, row, 4),
                     .version = read_bigint(rows, row, 7),
                     .terms = read_text(rows, row, 5),
                     .message_hash = read_bigint(rows, row, 6)});
  }
}

void fill_requests(const PGresult* rows, domain::Books& books, Unreadable& unreadable) {
  for (int row = 0; row < PQntuples(rows); ++row) {
    auto identity = read_text(rows, row, 0).value_or("");
    const auto id = read_bigint(rows, row, 1);
    const auto quantity = read_bigint(rows, row, 2);
    const auto created_at = read_timestamp(rows, row, 4);
    const auto chosen_id = read_bigint(rows, row, 5);
    const bool is_rejection = read_bool(rows, row, 7) && chosen_id;
    if ((id || is_rejection) && quantity && created_at) {
      books.found(domain::ItemAnswer{.identity = std::move(identity),
                                     .id = id,
                                     .quantity = *quantity,
                                     .description = read_text(rows, row, 3),
                                     .created_at = *created_at,
                                     .chosen_id = chosen_id,
                                     .low_stock = read_bigint(rows, row, 6)});
      continue;
    }
    const auto* const column = !id ? "product_id" : !quantity ? "quantity" : "created_at";
    unreadable.add("inventory_item_request", fmt::format("identity {}", identity),
                   fmt::format("{} is NULL or beyond what can be read", column));
  }
}

}  // namespace

BatchReads::BatchReads(Session& session, const domain::Needs& needs, Locks locks,
                       domain::Partition partition)
    : session_(session), needs_(needs) {
  const auto checks = binary_boolean(session.checks_writes());
  if (locks == Locks::skip) execute(kHurry, {});
  if (locks == Locks::wait_briefly) execute(kHurryForLocks, {});
  if (needs.ids_beyond > 0) {
    execute(kLockSequence, {});
    execute(kMoveSequence, {binary_bigint(needs.ids_beyond)});
  } else if (needs.fresh_ids > 0) {
    execute(kShareSequence, {});
  }
  BinaryArray items(Element::bigint, needs.products.size());
  for (const auto product : needs.products) items.add(product);
  if (!needs.products.empty()) {
    items_ = execute(locks == Locks::skip ? kLockFreeItems : kLockItems, {items.bytes()});
  }
  if (!needs.entries.empty()) {
    BinaryArray products(Element::bigint, needs.entries.size());
    BinaryArray identities(Element::text, needs.entries.size());
    for (const auto& [product, identity] : needs.entries) {
      products.add(product);
      identities.add(std::string_view(identity));
    }
    entries_ = execute(read_entries(), {products.bytes(), identities.bytes(), checks});
  }
  if (needs.adds_items()) {
    BinaryArray identities(Element::text, needs.item_requests.size());
    for (const auto& identity : needs.item_requests) identities.add(std::string_view(identity));
    requests_ = execute(read_requests(), {identities.bytes(), checks});
  }
  if (needs.fresh_ids > 0) {
    ids_ = execute(session.has_remote_tables() ? kDrawIdsHere : kDrawIds,
                   {binary_bigint(static_cast<std::int64_t>(needs.fresh_ids)),
                    binary_bigint(partition.count), binary_bigint(partition.number)});
  }
  if (needs.now) now_ = execute(kReadTime, {});
  if (items_ && locks == Locks::skip) {
    skipped_ = execute(kFindItems, {items.bytes()});
  }
}

BatchReads::Place BatchReads::execute(const Statement& statement,
                                      std::initializer_list<std::string_view> parameters) {
  session_.execute(statement, parameters);
  return queued_++;
}

Result<void> BatchReads::fill(domain::Books& books, const Results& results) const {
  if (items_ && skipped_) {
    auto none_skipped = check_none_skipped(results[*items_].get(), results[*skipped_].get());
    if (!none_skipped) {
      return none_skipped;
    }
  }
  if (now_) {
    const auto now = read_timestamp(results[*now_].get(), 0, 0);
    if (!now) {
      return std::unexpected(
          Error{Fault::unavailable,
                fmt::format("PostgreSQL {}: its clock is beyond the year 9999", session_.where())});
    }
    books.found_now(*now);
  }
  Unreadable unreadable;
  if (items_) fill_items(results[*items_].get(), books, unreadable);
  if (entries_) fill_entries(results[*entries_].get(), needs_, books, unreadable);
  if (requests_) fill_requests(results[*requests_].get(), books, unreadable);
  if (!unreadable.empty()) {
    return std::unexpected(std::move(unreadable).error(session_.where()));
  }
  return ids_ ? fill_fresh_ids(books, results[*ids_].get()) : Result<void>();
}

// With Locks::skip: finds items that exist but were skipped, because others hold their locks.
Result<void> BatchReads::check_none_skipped(const PGresult* items, const PGresult* found) const {
  std::set<domain::ProductId> locked;
  for (int row = 0; row < PQntuples(items); ++row) {
    locked.insert(read_bigint(items, row, 0).value_or(0));
  }
  std::set<domain::ProductId> skipped;
  for (int row = 0; row < PQntuples(found); ++row) {
    const auto id = read_bigint(found, row, 0).value_or(0);
    if (!locked.contains(id)) {
      skipped.insert(id);
    }
  }
  if (skipped.empty()) {
    return {};
  }
  return std::unexpected(
      Error{Fault::locked,
            fmt::format("locking items for a batch at PostgreSQL {}: somebody else holds the lock "
                        "of product {}{}",
                        session_.where(), *skipped.begin(),
                        skipped.size() == 1 ? "" : fmt::format(" and {} more", skipped.size() - 1)),
            {skipped.begin(), skipped.end()}});
}

Result<void> BatchReads::fill_fresh_ids(domain::Books& books, const PGresult* rows) const {
  std::vector<domain::ProductId> ids;
  ids.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto id = read_bigint(rows, row, 0);
    if (!id) {
      return std::unexpected(Error{
          Fault::unavailable,
          fmt::format("PostgreSQL {}: inventory.id owns no sequence any more; give it one: ALTER "
                      "SEQUENCE inventory_id_seq OWNED BY inventory.id",
                      session_.where())});
    }
    ids.push_back(*id);
  }
  if (ids.size() < needs_.fresh_ids) {
    return std::unexpected(Error{
        Fault::retryable,
        fmt::format("drawing ids at PostgreSQL {}: the sequence of inventory.id is behind ids that "
                    "are taken, and is being moved on; at once with SELECT "
                    "setval(pg_get_serial_sequence('inventory', 'id'), max(id)) FROM inventory",
                    session_.where())});
  }
  books.found_fresh(std::move(ids));
  return {};
}

Task<Result<bool>> has_appeared(Session& session, const domain::Needs& needs,
                                const domain::Books& books, Deadline deadline) {
  BinaryArray absent(Element::bigint);
  for (const auto product : needs.products) {
    if (books.stock(product) == nullptr) absent.add(product);
  }
  session.execute(kFindItems, {absent.bytes()});
  const auto found = co_await session.synchronize("looking for items once more", deadline);
  if (!found) co_return std::unexpected(found.error());
  co_return PQntuples(found->front().get()) > 0;
}

}  // namespace inventory::store::postgres
