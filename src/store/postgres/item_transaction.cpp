#include "store/postgres/item_transaction.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

constexpr Statement kReadRequests{"read_requests", R"sql(
SELECT asked.identity, earlier.product_id::bigint, earlier.quantity::bigint, earlier.description,
  earlier.created_at
FROM unnest($1::text[]) AS asked (identity)
CROSS JOIN LATERAL (
  SELECT product_id, quantity, description, created_at FROM inventory_item_request
  WHERE identity = asked.identity LIMIT 1) AS earlier)sql"};

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
constexpr Statement kInsertRequests{"insert_requests", R"sql(
INSERT INTO inventory_item_request (identity, product_id, quantity, description, created_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamp[]))sql"};

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
  session.execute(kReadRequests, {identities.bytes()});
  session.execute(kDrawIds, {binary_bigint(static_cast<std::int64_t>(requests.size()))});
}

EarlierItems read_earlier(const PGresult* rows) {
  EarlierItems earlier;
  for (int row = 0; row < PQntuples(rows); ++row) {
    earlier.emplace(read_text(rows, row, 0),
                    domain::Item{.id = read_bigint(rows, row, 1),
                                 .quantity = read_bigint(rows, row, 2),
                                 .description = read_nullable_text(rows, row, 3),
                                 .created_at = read_timestamp(rows, row, 4)});
  }
  return earlier;
}

std::vector<domain::ProductId> read_ids(const PGresult* rows) {
  std::vector<domain::ProductId> ids;
  ids.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    ids.push_back(read_bigint(rows, row, 0));
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
  session.execute(kInsertRequests,
                  {requests.identities.bytes(), requests.ids.bytes(), requests.quantities.bytes(),
                   requests.descriptions.bytes(), requests.created_at.bytes()});
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
  const auto ids = read_ids(read->at(2).get());
  if (ids.size() < requests.size()) {
    co_return std::unexpected(Error{
        Fault::retryable,
        fmt::format("drawing ids at PostgreSQL {}: the sequence of inventory.id is behind ids that "
                    "are taken, and is being moved on; at once with SELECT "
                    "setval(pg_get_serial_sequence('inventory', 'id'), max(id)) FROM inventory",
                    session.where())});
  }
  auto outcome = domain::decide_items(requests, read_earlier(read->at(1).get()), ids);
  queue_writes(session, outcome.added);
  const auto written = co_await session.synchronize("committing a batch of items", deadline);
  if (!written) {
    co_return std::unexpected(written.error());
  }
  co_return std::move(outcome.decisions);
}

}  // namespace inventory::store::postgres
