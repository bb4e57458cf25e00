#include "store/postgres/order_transaction.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "store/postgres/binary_array.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

// In the order of ids, so that two instances cannot deadlock. NO KEY: other tables may refer to an
// item meanwhile (a foreign key's check takes FOR KEY SHARE, which FOR UPDATE would hold up).
constexpr Statement kLockItems{"lock_items", R"sql(
SELECT id::bigint, quantity::bigint FROM inventory
WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE)sql"};

// A statement of its own after the lock: its snapshot sees what another instance decided while this
// one waited. LATERAL with LIMIT 1 leaves the planner nothing but one index lookup a key; a plain
// join may scan all entries of a product.
constexpr Statement kReadEarlier{"read_earlier", R"sql(
SELECT key.place, earlier.outcome, earlier.quantity::bigint
FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS key (product_id, identity, place)
CROSS JOIN LATERAL (
  SELECT outcome, quantity FROM inventory_ledger
  WHERE product_id = key.product_id AND identity = key.identity LIMIT 1) AS earlier)sql"};

constexpr Statement kUpdateItems{"update_items", R"sql(
UPDATE inventory SET quantity = changed.quantity
FROM unnest($1::bigint[], $2::bigint[]) AS changed (id, quantity)
WHERE inventory.id = changed.id)sql"};

// Rows are inserted in the order of the arrays, which is that of the primary key: for products that
// do not exist there is no item to lock, and this order is what prevents deadlocks.
constexpr Statement kInsertEntries{"insert_entries", R"sql(
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]))sql"};

using Element = BinaryArray::Element;

constexpr std::array<std::pair<domain::Verdict, std::string_view>, 3> kOutcomes = {{
    {domain::Verdict::accepted, "accepted"},
    {domain::Verdict::product_not_found, "product_not_found"},
    {domain::Verdict::not_enough_stock, "not_enough_stock"},
}};

std::string_view to_outcome(domain::Verdict verdict) {
  return std::ranges::find(kOutcomes, verdict, &decltype(kOutcomes)::value_type::first)->second;
}

domain::Verdict to_verdict(std::string_view outcome) {
  const auto* const found =
      std::ranges::find(kOutcomes, outcome, &decltype(kOutcomes)::value_type::second);
  if (found == kOutcomes.end()) {
    std::abort();  // the table's CHECK admits no other under an order's identity
  }
  return found->first;
}

std::vector<domain::LedgerKey> sorted_keys(std::span<const domain::Order> orders) {
  std::vector<domain::LedgerKey> keys;
  keys.reserve(orders.size());
  for (const auto& order : orders) {
    keys.emplace_back(order.product, order.ledger_identity());
  }
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  return keys;
}

void queue_reads(Session& session, const std::vector<domain::LedgerKey>& keys) {
  BinaryArray ids(Element::bigint, keys.size());
  BinaryArray products(Element::bigint, keys.size());
  BinaryArray identities(Element::text, keys.size());
  for (std::size_t at = 0; at < keys.size(); ++at) {
    if (at == 0 || keys[at].first != keys[at - 1].first) {
      ids.add(keys[at].first);
    }
    products.add(keys[at].first);
    identities.add(std::string_view(keys[at].second));
  }
  session.execute(kBegin, {});
  session.execute(kLockItems, {ids.bytes()});
  session.execute(kReadEarlier, {products.bytes(), identities.bytes()});
}

domain::BatchView read_view(const PGresult* items, const PGresult* earlier,
                            std::vector<domain::LedgerKey> keys) {
  domain::BatchView view;
  for (int row = 0; row < PQntuples(items); ++row) {
    view.on_hand.emplace(read_bigint(items, row, 0), read_bigint(items, row, 1));
  }
  for (int row = 0; row < PQntuples(earlier); ++row) {
    auto& key = keys.at(static_cast<std::size_t>(read_bigint(earlier, row, 0) - 1));
    view.decisions.emplace(std::move(key),
                           domain::EarlierDecision{to_verdict(read_text(earlier, row, 1)),
                                                   read_bigint(earlier, row, 2)});
  }
  return view;
}

void queue_writes(Session& session, const domain::BatchOutcome& outcome) {
  if (!outcome.changed_stock.empty()) {
    const std::size_t count = outcome.changed_stock.size();
    BinaryArray ids(Element::bigint, count);
    BinaryArray quantities(Element::bigint, count);
    for (const auto& [id, quantity] : outcome.changed_stock) {
      ids.add(id);
      quantities.add(quantity);
    }
    session.execute(kUpdateItems, {ids.bytes(), quantities.bytes()});
  }
  if (!outcome.new_entries.empty()) {
    const std::size_t count = outcome.new_entries.size();
    BinaryArray products(Element::bigint, count);
    BinaryArray identities(Element::text, count);
    BinaryArray outcomes(Element::text, count);
    BinaryArray quantities(Element::bigint, count);
    BinaryArray deltas(Element::bigint, count);
    for (const auto& entry : outcome.new_entries) {
      products.add(entry.key.first);
      identities.add(std::string_view(entry.key.second));
      outcomes.add(to_outcome(entry.verdict));
      quantities.add(entry.quantity);
      deltas.add(entry.delta);
    }
    session.execute(kInsertEntries, {products.bytes(), identities.bytes(), outcomes.bytes(),
                                     quantities.bytes(), deltas.bytes()});
  } else {
    session.execute(kTakeTransactionId, {});
  }
  session.commit();
}

}  // namespace

Task<Result<std::vector<domain::OrderDecision>>> decide_orders(
    Session& session, std::span<const domain::Order> orders, Deadline deadline) {
  auto keys = sorted_keys(orders);
  queue_reads(session, keys);
  const auto read = co_await session.synchronize("locking items for a batch of orders", deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  const auto view = read_view(read->at(1).get(), read->at(2).get(), std::move(keys));
  auto outcome = domain::decide_orders(orders, view);
  queue_writes(session, outcome);
  const auto written = co_await session.synchronize("committing a batch of orders", deadline);
  if (!written) {
    co_return std::unexpected(written.error());
  }
  co_return std::move(outcome.decisions);
}

}  // namespace inventory::store::postgres
