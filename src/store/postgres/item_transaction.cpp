#include "store/postgres/item_transaction.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/transaction.h"
#include "store/postgres/unreadable.h"
#include "store/postgres/write_check.h"

namespace inventory::store::postgres {
namespace {

constexpr std::string_view kItemTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger'), "
    "to_regclass('inventory_item_request')";

const Statement& read_requests() {
  static const auto kSql = fmt::format(R"sql(
SELECT asked.identity, earlier.product_id::bigint, earlier.quantity::bigint,
  earlier.description::text, earlier.created_at::timestamp
FROM unnest($1::text[]) AS asked (identity)
CROSS JOIN LATERAL (
  SELECT product_id, quantity, description, created_at FROM inventory_item_request
  WHERE identity = asked.identity LIMIT 1) AS earlier
WHERE {})sql",
                                       unless_rules(kItemTables, "$2"));
  static const Statement kStatement{"read_requests", kSql.c_str()};
  return kStatement;
}

// Ids that no item has, from the sequence that id owns, whatever its name. Where rows with ids of
// their own were copied in, the sequence is behind them: as many more are drawn as could be in the
// way, which brings it beyond them; a batch draws 100,000 more at most. Ids of a batch that fails
// are not used again.
constexpr Statement kDrawIds{"draw_ids", R"sql(
WITH first AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('inventory', 'id')) AS id
), drawn AS MATERIALIZED (
  SELECT id FROM first
  UNION ALL
  SELECT nextval(pg_get_serial_sequence('inventory', 'id'))
  FROM generate_series(2, $1::bigint + (
    SELECT count(*) FROM (SELECT FROM inventory WHERE id >= (SELECT id FROM first) LIMIT 100000)
      AS ahead))
)
SELECT id FROM drawn WHERE NOT EXISTS (SELECT FROM inventory WHERE inventory.id = drawn.id)
ORDER BY id LIMIT $1::bigint)sql"};

// OVERRIDING: the id of an adopted table may be GENERATED ALWAYS.
constexpr Statement kInsertItems{"insert_items", R"sql(
INSERT INTO inventory (id, quantity, description, created_at) OVERRIDING SYSTEM VALUE
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamp[]))sql"};

constexpr Statement kInsertOpenings{"insert_openings", R"sql(
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)
SELECT id, 'opening', 'opening', quantity, quantity
FROM unnest($1::bigint[], $2::bigint[]) AS added (id, quantity))sql"};

// In the order of identities: two instances that add the same requests cannot deadlock.
// Both are asked again: nobody has locked the other tables before.
const Statement& insert_requests() {
  static const auto kSql =
      fmt::format(R"sql(
INSERT INTO inventory_item_request (identity, product_id, quantity, description, created_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamp[])
WHERE {} AND {})sql",
                  unless_rules(kItemTables, "$6"), unless_triggers(kItemTables, "$6"));
  static const Statement kStatement{"insert_requests", kSql.c_str()};
  return kStatement;
}

// Not descriptions and times: a trigger of the owner's may trim or date them.
const Statement& check_items() {
  static const auto kSql = fail_for(R"sql(
SELECT 'inventory' AS relation, asked.id AS product_id
FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory AS now WHERE now.id = asked.id AND now.quantity = asked.quantity)
UNION ALL
SELECT 'inventory_ledger', asked.id
FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory_ledger AS now
  WHERE now.product_id = asked.id AND now.identity = 'opening' AND now.outcome = 'opening' AND
    now.quantity = asked.quantity AND now.delta = asked.quantity)
UNION ALL
SELECT 'inventory_item_request', asked.id
FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS asked (identity, id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory_item_request AS now
  WHERE now.identity = asked.identity AND now.product_id = asked.id AND
    now.quantity = asked.quantity))sql");
  static const Statement kStatement{"check_items", kSql.c_str()};
  return kStatement;
}

using Element = BinaryArray::Element;
using EarlierItems = std::map<std::string, domain::Item>;

void queue_reads(Session& session, std::span<const domain::NewItem> requests) {
  BinaryArray identities(Element::text);
  for (const auto& request : requests) {
    if (request.identity) {
      identities.add(request.identity);
    }
  }
  session.execute(kBegin, {});
  session.execute(read_requests(), {identities.bytes(), binary_boolean(session.checks_writes())});
  session.execute(kDrawIds, {binary_bigint(static_cast<std::int64_t>(requests.size()))});
}

Result<EarlierItems> read_earlier(const Session& session, const PGresult* rows) {
  EarlierItems earlier;
  Unreadable unreadable;
  for (int row = 0; row < PQntuples(rows); ++row) {
    auto identity = read_text(rows, row, 0).value_or("");
    const auto id = read_bigint(rows, row, 1);
    const auto quantity = read_bigint(rows, row, 2);
    const auto created_at = read_timestamp(rows, row, 4);
    if (id && quantity && created_at) {
      earlier.emplace(std::move(identity), domain::Item{.id = *id,
                                                        .quantity = *quantity,
                                                        .description = read_text(rows, row, 3),
                                                        .created_at = *created_at});
      continue;
    }
    const auto* const column = !id ? "product_id" : !quantity ? "quantity" : "created_at";
    unreadable.add("inventory_item_request", fmt::format("identity {}", identity),
                   fmt::format("{} is NULL or beyond what can be read", column));
  }
  if (!unreadable.empty()) {
    return std::unexpected(std::move(unreadable).error(session.where()));
  }
  return earlier;
}

Result<std::vector<domain::ProductId>> read_ids(const Session& session, const PGresult* rows) {
  std::vector<domain::ProductId> ids;
  ids.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto id = read_bigint(rows, row, 0);
    if (!id) {
      return std::unexpected(Error{
          Fault::unavailable,
          fmt::format("PostgreSQL {}: inventory.id owns no sequence any more; give it one: ALTER "
                      "SEQUENCE inventory_id_seq OWNED BY inventory.id",
                      session.where())});
    }
    ids.push_back(*id);
  }
  return ids;
}

// The columns of items to be written.
struct Columns {
  BinaryArray identities{Element::text};
  BinaryArray ids{Element::bigint};
  BinaryArray quantities{Element::bigint};
  BinaryArray descriptions{Element::text};
  BinaryArray created_at{Element::timestamp};

  void add(const domain::AddedItem& added) {
    identities.add(added.identity);
    ids.add(added.item.id);
    quantities.add(added.item.quantity);
    descriptions.add(added.item.description);
    created_at.add(added.item.created_at);
  }
};

void queue_writes(Session& session, std::span<const domain::AddedItem> added) {
  if (added.empty()) {
    session.execute(kTakeTransactionId, {});
    session.commit();
    return;
  }
  Columns items;
  Columns requests;  // those with an identity
  for (const auto& item : added) {
    items.add(item);
    if (item.identity) {
      requests.add(item);
    }
  }
  session.execute(kInsertItems, {items.ids.bytes(), items.quantities.bytes(),
                                 items.descriptions.bytes(), items.created_at.bytes()});
  session.execute(kInsertOpenings, {items.ids.bytes(), items.quantities.bytes()});
  session.execute(insert_requests(),
                  {requests.identities.bytes(), requests.ids.bytes(), requests.quantities.bytes(),
                   requests.descriptions.bytes(), requests.created_at.bytes(),
                   binary_boolean(session.checks_writes())});
  if (session.checks_writes()) {
    session.execute(check_items(),
                    {items.ids.bytes(), items.quantities.bytes(), requests.identities.bytes(),
                     requests.ids.bytes(), requests.quantities.bytes()});
  }
  session.commit();
}

}  // namespace

Task<Result<std::vector<domain::ItemDecision>>> add_items(Session& session,
                                                          std::span<const domain::NewItem> requests,
                                                          Deadline deadline) {
  queue_reads(session, requests);
  const auto read = co_await session.synchronize("reading earlier requests for items", deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  const auto earlier = read_earlier(session, read->at(1).get());
  if (!earlier) {
    co_return std::unexpected(earlier.error());
  }
  const auto ids = read_ids(session, read->at(2).get());
  if (!ids) {
    co_return std::unexpected(ids.error());
  }
  if (ids->size() < requests.size()) {
    co_return std::unexpected(Error{
        Fault::retryable,
        fmt::format("drawing ids at PostgreSQL {}: the sequence of inventory.id is behind ids that "
                    "are taken, and is being moved on; at once with SELECT "
                    "setval(pg_get_serial_sequence('inventory', 'id'), max(id)) FROM inventory",
                    session.where())});
  }
  auto outcome = domain::decide_items(requests, *earlier, *ids);
  queue_writes(session, outcome.added);
  const auto written = co_await session.synchronize("committing a batch of items", deadline);
  if (!written) {
    Error error = written.error();
    error.products.clear();  // ids that nobody has been given
    co_return std::unexpected(std::move(error));
  }
  co_return std::move(outcome.decisions);
}

}  // namespace inventory::store::postgres
