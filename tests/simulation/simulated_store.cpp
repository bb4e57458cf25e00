#include "simulated_store.h"

#include <utility>

namespace inventory::simulation {
namespace {

using enum store::Fault;

constexpr Time kLockTimeout = milliseconds(250);

}  // namespace

Task<store::Result<void>> SimulatedStore::ready() {
  auto session = co_await connect();
  if (!session) {
    co_return std::unexpected(session.error());
  }
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (!(*session)->is_open) {
    co_return std::unexpected(store::Error{link_lost, "the database connection is lost"});
  }
  if (environment_.faults.strikes(Fault::database_unavailable)) {
    co_return std::unexpected(store::Error{unavailable, "the database is read-only"});
  }
  idle_.push_back(*session);
  co_return store::Result<void>();
}

Task<store::Result<std::vector<domain::OrderDecision>>> SimulatedStore::decide_orders(
    std::span<const domain::Order> orders, store::Locks locks) {
  const auto transaction = co_await begin();
  if (!transaction) {
    co_return std::unexpected(transaction.error());
  }
  (*transaction)->arrivals = &orders_;
  (*transaction)->epoch = orders_.epoch;
  domain::BatchView view;
  if (auto locked = co_await lock_items(*transaction, orders, locks, view); !locked) {
    co_return std::unexpected(locked.error());
  }
  if (auto done = co_await step(*transaction, "reading earlier decisions"); !done) {
    co_return std::unexpected(done.error());
  }
  read_earlier(orders, view);
  if (auto done = co_await step(*transaction, "deciding"); !done) {
    co_return std::unexpected(done.error());
  }
  auto outcome = domain::decide_orders(orders, view);
  (*transaction)->changed_stock.insert(outcome.changed_stock.begin(), outcome.changed_stock.end());
  if (auto written = co_await write(*transaction, std::move(outcome.new_entries)); !written) {
    co_return std::unexpected(written.error());
  }
  if (auto committed = co_await commit(*transaction); !committed) {
    co_return std::unexpected(committed.error());
  }
  co_return std::move(outcome.decisions);
}

Task<store::Result<void>> SimulatedStore::lock_items(TransactionPointer transaction,
                                                     std::span<const domain::Order> orders,
                                                     store::Locks locks, domain::BatchView& view) {
  std::set<domain::ProductId> products;
  for (const auto& order : orders) {
    if (database_.tables().items.contains(order.product)) {  // in the statement's snapshot
      products.insert(order.product);
    }
  }
  std::vector<domain::ProductId> skipped;
  for (const auto product : products) {
    if (locks == store::Locks::skip && database_.is_locked(item_lock(product), transaction)) {
      skipped.push_back(product);
      continue;
    }
    if (auto locked = co_await lock(transaction, item_lock(product)); !locked) {
      co_return std::unexpected(locked.error());
    }
    view.on_hand[product] = database_.tables().items.at(product).quantity;
  }
  if (!skipped.empty()) {
    environment_.trace("database: {} rows are locked", skipped.size());
    co_return fail(transaction, store::Fault::locked, "rows are locked", std::move(skipped));
  }
  co_return store::Result<void>();
}

void SimulatedStore::read_earlier(std::span<const domain::Order> orders,
                                  domain::BatchView& view) const {
  for (const auto& order : orders) {
    const domain::LedgerKey key(order.product, order.ledger_identity());
    const auto entry = database_.tables().ledger.find(key);
    if (entry != database_.tables().ledger.end()) {
      view.decisions[key] = {entry->second.verdict, entry->second.quantity};
    }
  }
}

Task<store::Result<void>> SimulatedStore::write(TransactionPointer transaction,
                                                std::vector<domain::LedgerEntry> entries) {
  const auto& ledger = database_.tables().ledger;
  for (const auto& entry : entries) {
    const auto& [product, identity] = entry.key;
    if (identity.starts_with(fmt::format("s{}", kPoison))) {
      co_return fail(transaction, refused, "the database refuses " + identity);
    }
    if (database_.is_failing(product)) {
      const bool is_named = environment_.random.chance(500);
      co_return fail(transaction, failing, fmt::format("a trigger fails for product {}", product),
                     is_named ? std::vector{product} : std::vector<domain::ProductId>());
    }
    if (auto locked = co_await lock(transaction, fmt::format("entry {} {}", product, identity));
        !locked) {
      co_return std::unexpected(locked.error());
    }
    if (const auto found = ledger.find(entry.key); found != ledger.end()) {
      if (transaction->locks.contains(item_lock(product)) &&
          found->second.verdict != domain::Verdict::product_not_found) {
        environment_.checks.broken("a decision taken under an item's lock is seen under it",
                                   fmt::format("product {}, {}", product, identity));
      }
      co_return fail(transaction, retryable, "duplicate key " + identity);
    }
    transaction->new_entries[entry.key] = {entry.verdict, entry.quantity, entry.delta};
  }
  co_return store::Result<void>();
}

Task<store::Result<std::vector<domain::ItemDecision>>> SimulatedStore::add_items(
    std::span<const domain::NewItem> requests) {
  const auto transaction = co_await begin();
  if (!transaction) {
    co_return std::unexpected(transaction.error());
  }
  std::map<std::string, domain::Item> earlier;
  std::vector<domain::ProductId> ids;
  for (const auto& request : requests) {
    ids.push_back(database_.draw_id());
    if (request.identity) {
      const auto found = database_.tables().requests.find(*request.identity);
      if (found != database_.tables().requests.end()) {
        earlier.insert(*found);
      }
    }
  }
  if (auto done = co_await step(*transaction, "deciding"); !done) {
    co_return std::unexpected(done.error());
  }
  auto outcome = domain::decide_items(requests, earlier, ids);
  if (auto written = co_await write(*transaction, std::move(outcome.added)); !written) {
    co_return std::unexpected(written.error());
  }
  if (auto committed = co_await commit(*transaction); !committed) {
    co_return std::unexpected(committed.error());
  }
  co_return std::move(outcome.decisions);
}

Task<store::Result<void>> SimulatedStore::write(TransactionPointer transaction,
                                                std::vector<domain::AddedItem> added) {
  for (const auto& [identity, item] : added) {
    if (database_.are_items_failing() && item.quantity == kBadItemQuantity) {
      co_return fail(transaction, failing, "a trigger fails for an item");
    }
    transaction->added_items.push_back({identity, item});
    transaction->new_entries[{item.id, kOpening}] = {{}, item.quantity, item.quantity};
    if (!identity) {
      continue;
    }
    if (auto locked = co_await lock(transaction, "request " + *identity); !locked) {
      co_return std::unexpected(locked.error());
    }
    if (database_.tables().requests.contains(*identity)) {
      co_return fail(transaction, retryable, "duplicate key " + *identity);
    }
  }
  co_return store::Result<void>();
}

Task<store::Result<std::shared_ptr<Session>>> SimulatedStore::connect() {
  while (!idle_.empty()) {
    auto session = std::move(idle_.back());
    idle_.pop_back();
    if (session->is_open) {
      co_return session;
    }
  }
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (!database_.is_up() || environment_.faults.strikes(Fault::database_connect_failed)) {
    co_return std::unexpected(store::Error{link_lost, "the database refuses connections"});
  }
  co_return database_.connect(life_);
}

Task<store::Result<TransactionPointer>> SimulatedStore::begin() {
  auto session = co_await connect();
  if (!session) {
    co_return std::unexpected(session.error());
  }
  const auto transaction = database_.begin(*session);
  if (auto begun = co_await step(transaction, "BEGIN"); !begun) {
    co_return std::unexpected(begun.error());
  }
  co_return transaction;
}

// Time passes, and much may happen in it.
Task<store::Result<void>> SimulatedStore::step(TransactionPointer transaction, const char* what) {
  Time duration = environment_.latency();
  if (environment_.faults.strikes(Fault::database_slow)) {
    duration = Time(environment_.random.between(1, 10'000'000));
  }
  co_await environment_.scheduler.sleep(life_, duration);
  if (environment_.faults.strikes(Fault::database_lost)) {
    database_.abandon(transaction);
  }
  if (!transaction->session->is_open || !transaction->is_open()) {
    co_return fail(transaction, link_lost, fmt::format("{}: the connection is lost", what));
  }
  if (environment_.faults.strikes(Fault::database_conflict)) {
    co_return fail(transaction, retryable, fmt::format("{}: could not serialize access", what));
  }
  if (environment_.faults.strikes(Fault::database_unavailable)) {
    co_return fail(transaction, unavailable, fmt::format("{}: the disk is full", what));
  }
  co_return store::Result<void>();
}

Task<store::Result<void>> SimulatedStore::lock(TransactionPointer transaction, std::string name) {
  if (!co_await database_.lock(transaction, name, kLockTimeout)) {
    co_return transaction->is_open()
        ? fail(transaction, store::Fault::locked, name + ": lock timeout")
        : fail(transaction, link_lost, name + ": the connection is lost");
  }
  co_return co_await step(transaction, "writing");
}

Task<store::Result<void>> SimulatedStore::commit(TransactionPointer transaction) {
  transaction->state = Transaction::State::committing;
  const Time server = environment_.latency();
  environment_.scheduler.after(server, [this, transaction] { database_.commit(transaction); });
  Time answer = server + environment_.latency();
  if (environment_.faults.strikes(Fault::commit_in_doubt)) {
    // Cut off before the server has done it or after, or it never will.
    answer = Time(environment_.random.between(1, 2 * static_cast<std::uint64_t>(server.count())));
    database_.abandon(transaction);
  }
  co_await environment_.scheduler.sleep(life_, answer);
  if (!transaction->session->is_open) {
    co_return std::unexpected(store::Error{in_doubt, "the connection was lost in COMMIT"});
  }
  idle_.push_back(transaction->session);
  co_return store::Result<void>();
}

// Nothing of it is written. The session stays if it can.
std::unexpected<store::Error> SimulatedStore::fail(const TransactionPointer& transaction,
                                                   store::Fault fault, std::string what,
                                                   std::vector<domain::ProductId> products) {
  if (transaction->session->is_open) {
    database_.roll_back(transaction);
    idle_.push_back(transaction->session);
  } else {
    database_.abandon(transaction);
  }
  environment_.trace("database: {}", what);
  return std::unexpected(store::Error{fault, std::move(what), std::move(products)});
}

}  // namespace inventory::simulation
