#include "store/postgres/order_transaction.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
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

// In the order of ids, so that two instances cannot deadlock. NO KEY: other tables may refer to an
// item meanwhile (a foreign key's check takes FOR KEY SHARE, which FOR UPDATE would hold up).
constexpr Statement kLockItems{"lock_items", R"sql(
SELECT id::bigint, quantity::bigint FROM inventory
WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE)sql"};

// The same without those that somebody else has locked.
constexpr Statement kLockFreeItems{"lock_free_items", R"sql(
SELECT id::bigint, quantity::bigint FROM inventory
WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)sql"};

constexpr Statement kFindItems{"find_items", R"sql(
SELECT id::bigint FROM inventory WHERE id = ANY($1::bigint[]))sql"};

constexpr std::string_view kOrderTables =
    "to_regclass('inventory'), to_regclass('inventory_ledger')";

// A statement of its own after the lock: its snapshot sees what another instance decided while this
// one waited. LATERAL with LIMIT 1 leaves the planner nothing but one index lookup a key; a plain
// join may scan all entries of a product.
const Statement& read_earlier() {
  static const auto kSql = fmt::format(R"sql(
SELECT key.place, earlier.outcome::text, earlier.quantity::bigint, earlier.delta::bigint
FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS key (product_id, identity, place)
CROSS JOIN LATERAL (
  SELECT outcome, quantity, delta FROM inventory_ledger
  WHERE product_id = key.product_id AND identity = key.identity LIMIT 1) AS earlier
WHERE {})sql",
                                       unless_rules(kOrderTables, "$3"));
  static const Statement kStatement{"read_earlier", kSql.c_str()};
  return kStatement;
}

constexpr Statement kUpdateItems{"update_items", R"sql(
UPDATE inventory SET quantity = changed.quantity
FROM unnest($1::bigint[], $2::bigint[]) AS changed (id, quantity)
WHERE inventory.id = changed.id)sql"};

// Rows are inserted in the order of the arrays, which is that of the primary key: for products that
// do not exist there is no item to lock, and this order is what prevents deadlocks.
const Statement& insert_entries() {
  static const auto kSql = fmt::format(R"sql(
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
WHERE {})sql",
                                       unless_triggers(kOrderTables, "$6"));
  static const Statement kStatement{"insert_entries", kSql.c_str()};
  return kStatement;
}

const Statement& check_orders() {
  static const auto kSql = fail_for(R"sql(
SELECT 'inventory' AS relation, asked.id AS product_id
FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory AS now WHERE now.id = asked.id AND now.quantity = asked.quantity)
UNION ALL
SELECT 'inventory_ledger', asked.product_id
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
  AS asked (product_id, identity, outcome, quantity, delta)
WHERE NOT EXISTS (
  SELECT FROM inventory_ledger AS now
  WHERE now.product_id = asked.product_id AND now.identity = asked.identity AND
    now.outcome = asked.outcome AND now.quantity = asked.quantity AND
    now.delta = asked.delta))sql");
  static const Statement kStatement{"check_orders", kSql.c_str()};
  return kStatement;
}

using Element = BinaryArray::Element;

// The contract's largest number: what is beyond cannot have been asked for.
constexpr domain::Quantity kQuantityMax = 9'007'199'254'740'991;  // 2^53 - 1

constexpr std::array<std::pair<domain::Verdict, std::string_view>, 3> kOutcomes = {{
    {domain::Verdict::accepted, "accepted"},
    {domain::Verdict::product_not_found, "product_not_found"},
    {domain::Verdict::not_enough_stock, "not_enough_stock"},
}};

std::string_view to_outcome(domain::Verdict verdict) {
  return std::ranges::find(kOutcomes, verdict, &decltype(kOutcomes)::value_type::first)->second;
}

std::optional<domain::Verdict> to_verdict(std::string_view outcome) {
  const auto* const found =
      std::ranges::find(kOutcomes, outcome, &decltype(kOutcomes)::value_type::second);
  return found == kOutcomes.end() ? std::nullopt : std::optional(found->first);
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

// The results of the first segment, by their place in it.
constexpr std::size_t kItemsAt = 1;
constexpr std::size_t kEarlierAt = 2;
constexpr std::size_t kFoundAt = 3;

void queue_reads(Session& session, const std::vector<domain::LedgerKey>& keys, Locks locks) {
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
  session.execute(locks == Locks::skip ? kLockFreeItems : kLockItems, {ids.bytes()});
  session.execute(read_earlier(),
                  {products.bytes(), identities.bytes(), binary_boolean(session.checks_writes())});
  if (locks == Locks::skip) {
    session.execute(kFindItems, {ids.bytes()});
  }
}

std::string number_text(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "NULL";
}

// Nothing where it is no quantity of at least `least`.
std::optional<domain::Quantity> quantity_of(std::optional<std::int64_t> number,
                                            domain::Quantity least) {
  return number && *number >= least && *number <= kQuantityMax ? number : std::nullopt;
}

void read_items(const PGresult* rows, domain::BatchView& view, Unreadable& unreadable) {
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto id = read_bigint(rows, row, 0);
    const auto quantity = read_bigint(rows, row, 1);
    const auto stock = quantity_of(quantity, 0);
    if (id && stock) {
      view.on_hand.emplace(*id, *stock);
    } else {
      unreadable.add(id.value_or(0), "inventory", fmt::format("id {}", number_text(id)),
                     fmt::format("quantity is {}", number_text(quantity)));
    }
  }
}

// What a decision's row is wrong in; empty where it is as this program writes it.
std::string flaw_of(const std::optional<std::string>& outcome,
                    std::optional<domain::Verdict> verdict, std::optional<std::int64_t> number,
                    std::optional<std::int64_t> delta) {
  if (!verdict) {
    return fmt::format("outcome is {}, which is no decision of an order",
                       outcome ? fmt::format("'{}'", *outcome) : "NULL");
  }
  const auto quantity = quantity_of(number, 1);
  if (!quantity) {
    return fmt::format("quantity is {}", number_text(number));
  }
  if (delta != (*verdict == domain::Verdict::accepted ? -*quantity : 0)) {
    return fmt::format("delta is {}, which disagrees with outcome '{}' and quantity {}",
                       number_text(delta), to_outcome(*verdict), *quantity);
  }
  return "";
}

void read_decisions(const PGresult* rows, std::vector<domain::LedgerKey>& keys,
                    domain::BatchView& view, Unreadable& unreadable) {
  for (int row = 0; row < PQntuples(rows); ++row) {
    auto& key = keys.at(static_cast<std::size_t>(read_bigint(rows, row, 0).value_or(0) - 1));
    const auto outcome = read_text(rows, row, 1);
    const auto verdict = to_verdict(outcome.value_or(""));
    const auto quantity = read_bigint(rows, row, 2);
    const auto flaw = flaw_of(outcome, verdict, quantity, read_bigint(rows, row, 3));
    if (verdict && quantity && flaw.empty()) {
      view.decisions.emplace(std::move(key), domain::EarlierDecision{*verdict, *quantity});
    } else {
      unreadable.add(key.first, "inventory_ledger",
                     fmt::format("product_id {}, identity {}", key.first, key.second), flaw);
    }
  }
}

Result<domain::BatchView> read_view(const Session& session, const Results& results,
                                    std::vector<domain::LedgerKey> keys) {
  domain::BatchView view;
  Unreadable unreadable;
  read_items(results[kItemsAt].get(), view, unreadable);
  read_decisions(results[kEarlierAt].get(), keys, view, unreadable);
  if (!unreadable.empty()) {
    return std::unexpected(std::move(unreadable).error(session.where()));
  }
  return view;
}

// With Locks::skip: the items that exist and were not locked, because somebody else holds them.
Result<void> check_none_skipped(const Session& session, const Results& results) {
  std::set<domain::ProductId> locked;
  for (int row = 0; row < PQntuples(results[kItemsAt].get()); ++row) {
    locked.insert(read_bigint(results[kItemsAt].get(), row, 0).value_or(0));
  }
  std::vector<domain::ProductId> skipped;
  const PGresult* found = results[kFoundAt].get();
  for (int row = 0; row < PQntuples(found); ++row) {
    const auto id = read_bigint(found, row, 0).value_or(0);
    if (!locked.contains(id)) {
      skipped.push_back(id);
    }
  }
  if (skipped.empty()) {
    return {};
  }
  std::ranges::sort(skipped);
  return std::unexpected(
      Error{Fault::locked,
            fmt::format("locking items for a batch of orders at PostgreSQL {}: somebody else holds "
                        "the lock of product {}{}",
                        session.where(), skipped.front(),
                        skipped.size() == 1 ? "" : fmt::format(" and {} more", skipped.size() - 1)),
            std::move(skipped)});
}

void queue_writes(Session& session, const domain::BatchOutcome& outcome) {
  if (outcome.new_entries.empty()) {
    session.execute(kTakeTransactionId, {});
    session.commit();
    return;
  }
  BinaryArray ids(Element::bigint, outcome.changed_stock.size());
  BinaryArray stock(Element::bigint, outcome.changed_stock.size());
  for (const auto& [id, quantity] : outcome.changed_stock) {
    ids.add(id);
    stock.add(quantity);
  }
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
  if (!outcome.changed_stock.empty()) {
    session.execute(kUpdateItems, {ids.bytes(), stock.bytes()});
  }
  session.execute(insert_entries(),
                  {products.bytes(), identities.bytes(), outcomes.bytes(), quantities.bytes(),
                   deltas.bytes(), binary_boolean(session.checks_writes())});
  if (session.checks_writes()) {
    session.execute(check_orders(),
                    {ids.bytes(), stock.bytes(), products.bytes(), identities.bytes(),
                     outcomes.bytes(), quantities.bytes(), deltas.bytes()});
  }
  session.commit();
}

}  // namespace

Task<Result<std::vector<domain::OrderDecision>>> decide_orders(
    Session& session, std::span<const domain::Order> orders, Locks locks, Deadline deadline) {
  auto keys = sorted_keys(orders);
  queue_reads(session, keys, locks);
  const auto read = co_await session.synchronize("locking items for a batch of orders", deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  if (locks == Locks::skip) {
    if (auto none_skipped = check_none_skipped(session, *read); !none_skipped) {
      co_return std::unexpected(std::move(none_skipped.error()));
    }
  }
  const auto view = read_view(session, *read, std::move(keys));
  if (!view) {
    co_return std::unexpected(view.error());
  }
  auto outcome = domain::decide_orders(orders, *view);
  queue_writes(session, outcome);
  const auto written = co_await session.synchronize("committing a batch of orders", deadline);
  if (!written) {
    co_return std::unexpected(written.error());
  }
  co_return std::move(outcome.decisions);
}

}  // namespace inventory::store::postgres
