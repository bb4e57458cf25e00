#include "simulated_store.h"

#include <algorithm>
#include <exception>
#include <tuple>
#include <utility>
#include <variant>

namespace inventory::simulation {
namespace {

using store::Fault::failing;
using store::Fault::in_doubt;
using store::Fault::link_lost;
using store::Fault::retryable;
using store::Fault::unavailable;

constexpr Time kLockTimeout = milliseconds(250);
constexpr Time kBriefLockTimeout = milliseconds(10);

// While this object exists, cancelling the call drops the connection, and so its transaction.
class DropsIfCancelled {
 public:
  DropsIfCancelled(SimulatedDatabase& database, TransactionPointer transaction)
      : database_(database), transaction_(std::move(transaction)) {}
  DropsIfCancelled(const DropsIfCancelled&) = delete;
  DropsIfCancelled& operator=(const DropsIfCancelled&) = delete;
  ~DropsIfCancelled() {
    if (std::uncaught_exceptions() > exceptions_) database_.abandon(transaction_);
  }

 private:
  SimulatedDatabase& database_;
  TransactionPointer transaction_;
  int exceptions_ = std::uncaught_exceptions();
};

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
  if (environment_.faults.strikes(InjectedFault::database_unavailable)) {
    co_return std::unexpected(store::Error{unavailable, "the database is read-only"});
  }
  idle_.push_back(*session);
  co_return store::Result<void>();
}

Task<store::Result<std::vector<domain::Decision>>> SimulatedStore::execute(
    std::span<const domain::Command> commands, store::Locks locks,
    std::vector<domain::StockNews>* news) {
  const auto transaction = co_await begin();
  if (!transaction) {
    co_return std::unexpected(transaction.error());
  }
  const DropsIfCancelled cancelled(database_, *transaction);
  if (std::holds_alternative<domain::Order>(commands.front()) ||
      std::holds_alternative<domain::Basket>(commands.front())) {
    (*transaction)->arrivals = orders_;
    (*transaction)->epoch = orders_->epoch;
  }
  const domain::Needs needs = domain::needs_of(commands);
  domain::Books books(needs);
  if (auto locked = co_await lock_items(*transaction, needs, locks, books); !locked) {
    co_return std::unexpected(locked.error());
  }
  if (auto done = co_await step(*transaction, "reading earlier decisions"); !done) {
    co_return std::unexpected(done.error());
  }
  read(needs, books);
  books.found_now((*transaction)->began);
  if (auto done = co_await step(*transaction, "deciding"); !done) {
    co_return std::unexpected(done.error());
  }
  auto decisions = domain::decide_all(commands, books, news);
  if (books.is_torn()) {
    co_return fail(*transaction, retryable, "an item was added between a batch's statements");
  }
  if (auto written = co_await write(*transaction, books.take_changes()); !written) {
    co_return std::unexpected(written.error());
  }
  (*transaction)->commands.assign(commands.begin(), commands.end());
  (*transaction)->decisions = decisions;
  if (auto committed = co_await commit(*transaction); !committed) {
    co_return std::unexpected(committed.error());
  }
  co_return decisions;
}

Task<store::Result<void>> SimulatedStore::try_another(std::span<const domain::ProductId> products) {
  const auto transaction = co_await begin();
  if (!transaction) {
    co_return std::unexpected(transaction.error());
  }
  const DropsIfCancelled cancelled(database_, *transaction);
  std::vector<domain::ProductId> others;
  for (const auto& [product, item] : database_.tables().items) {
    if (std::ranges::find(products, product) == products.end()) others.push_back(product);
  }
  if (others.empty()) {
    co_return fail(*transaction, store::Fault::refused, "there is no other product");
  }
  const auto other = others[environment_.random.between(0, others.size() - 1)];
  if (auto locked = co_await lock(*transaction, item_lock(other)); !locked) {
    co_return std::unexpected(locked.error());
  }
  if (database_.is_failing(other)) {
    co_return fail(*transaction, failing, fmt::format("a trigger fails for product {}", other));
  }
  end(*transaction);
  co_return store::Result<void>();
}

Task<store::Result<std::vector<domain::Hold>>> SimulatedStore::due_holds(
    std::optional<domain::Hold> after, std::size_t count) {
  const auto session = co_await connect();
  if (!session) {
    co_return std::unexpected(session.error());
  }
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (!(*session)->is_open || environment_.faults.strikes(InjectedFault::database_lost)) {
    (*session)->is_open = false;
    co_return std::unexpected(store::Error{link_lost, "the database connection is lost"});
  }
  idle_.push_back(*session);
  const auto place = [](const domain::Hold& hold) { return std::tie(hold.expires_at, hold.key); };
  std::vector<domain::Hold> due;
  for (const auto& [key, hold] : database_.tables().holds) {
    const bool is_due = hold.expires_at <= environment_.scheduler.wall_now();
    if (is_due && (!after || place(*after) < place(hold))) due.push_back(hold);
  }
  std::ranges::sort(due, {}, place);
  if (due.size() > count) due.resize(count);
  if (!due.empty() && environment_.faults.strikes(InjectedFault::killed_in_sweep)) {
    environment_.kill(life_);
  }
  co_return due;
}

Task<store::Result<void>> SimulatedStore::lock_items(TransactionPointer transaction,
                                                     const domain::Needs& needs, store::Locks locks,
                                                     domain::Books& books) {
  std::vector<domain::ProductId> products;
  for (const auto product : needs.products) {
    if (database_.tables().items.contains(product)) {  // in the statement's snapshot
      products.push_back(product);
    }
  }
  std::vector<domain::ProductId> skipped;
  for (const auto product : products) {
    if (locks == store::Locks::skip && database_.is_locked(item_lock(product), transaction)) {
      skipped.push_back(product);
      environment_.checks.on_found_locked(product);
      continue;
    }
    if (auto locked = co_await lock(transaction, item_lock(product), locks); !locked) {
      co_return std::unexpected(locked.error());
    }
    const auto& tables = database_.tables();
    const auto version = tables.versions.find(product);
    books.found(product, {tables.items.at(product).quantity,
                          version == tables.versions.end() ? 0 : version->second,
                          tables.items.at(product).low_stock});
  }
  if (!skipped.empty()) {
    environment_.trace("database: {} rows are locked, product {} the first", skipped.size(),
                       skipped.front());
    co_return fail(transaction, store::Fault::locked, "rows are locked", std::move(skipped));
  }
  co_return store::Result<void>();
}

void SimulatedStore::read(const domain::Needs& needs, domain::Books& books) {
  const Tables& tables = database_.tables();
  for (std::size_t at = 0; at < needs.entries.size(); ++at) {
    if (const auto entry = tables.ledger.find(needs.entries[at]); entry != tables.ledger.end()) {
      books.found(at, entry->second);
    }
  }
  for (const std::string& identity : needs.item_requests) {
    if (const auto found = tables.requests.find(identity); found != tables.requests.end()) {
      books.found(found->second);
    }
  }
  database_.draw_beyond(needs.ids_beyond);
  std::vector<domain::ProductId> ids(needs.fresh_ids);
  std::ranges::generate(ids, [this] { return database_.draw_id(); });
  books.found_fresh(std::move(ids));
}

Task<store::Result<void>> SimulatedStore::write(TransactionPointer transaction,
                                                const domain::Changes& changes) {
  transaction->changed_stock.insert(changes.stock.begin(), changes.stock.end());
  transaction->opened = changes.opened;
  transaction->closed = changes.closed;
  if (auto written = co_await write_entries(transaction, changes); !written) {
    co_return written;
  }
  for (const auto& added : changes.items) {
    if (database_.are_items_failing() && added.item.quantity == kBadItemQuantity) {
      co_return fail(transaction, failing, "a trigger fails for an item");
    }
    if (auto locked = co_await lock(transaction, item_lock(added.item.id)); !locked) {
      co_return std::unexpected(locked.error());
    }
    if (database_.tables().items.contains(added.item.id)) {
      co_return fail(transaction, retryable, "duplicate key of an item");
    }
    transaction->added_items.push_back(added);
  }
  for (const auto& answer : changes.item_requests) {
    if (auto locked = co_await lock(transaction, "request " + answer.identity); !locked) {
      co_return std::unexpected(locked.error());
    }
    if (database_.tables().requests.contains(answer.identity)) {
      co_return fail(transaction, retryable, "duplicate key " + answer.identity);
    }
    transaction->new_requests.push_back(answer);
  }
  co_return store::Result<void>();
}

Task<store::Result<void>> SimulatedStore::write_entries(TransactionPointer transaction,
                                                        const domain::Changes& changes) {
  const auto& ledger = database_.tables().ledger;
  for (const auto& entry : changes.entries) {
    const auto& [product, identity] = entry.key;
    if (entry.outcome == domain::Outcome::opening) {
      transaction->new_entries[entry.key] = entry;
      continue;
    }
    if (identity.starts_with(fmt::format("s{}", kPoison))) {
      co_return fail(transaction, store::Fault::refused, "the database refuses " + identity);
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
      if (transaction->locks.contains(item_lock(product)) && found->second.quantity_after) {
        environment_.checks.broken("a decision taken under an item's lock is seen under it",
                                   fmt::format("product {}, {}", product, identity));
      }
      co_return fail(transaction, retryable, "duplicate key " + identity);
    }
    transaction->new_entries[entry.key] = entry;
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
  if (!database_.is_up() || environment_.faults.strikes(InjectedFault::database_connect_failed)) {
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
  const DropsIfCancelled cancelled(database_, transaction);
  if (auto begun = co_await step(transaction, "BEGIN"); !begun) {
    co_return std::unexpected(begun.error());
  }
  co_return transaction;
}

// Waits for the time of a step, in which faults may occur.
Task<store::Result<void>> SimulatedStore::step(TransactionPointer transaction, const char* what) {
  Time duration = environment_.latency();
  if (environment_.faults.strikes(InjectedFault::database_slow)) {
    duration = Time(environment_.random.between(1, 10'000'000));
  }
  co_await environment_.scheduler.sleep(life_, duration);
  if (environment_.faults.strikes(InjectedFault::database_lost)) {
    database_.abandon(transaction);
  }
  if (!transaction->session->is_open || !transaction->is_open()) {
    co_return fail(transaction, link_lost, fmt::format("{}: the connection is lost", what));
  }
  if (environment_.faults.strikes(InjectedFault::database_conflict)) {
    co_return fail(transaction, retryable, fmt::format("{}: could not serialize access", what));
  }
  if (environment_.faults.strikes(InjectedFault::database_unavailable)) {
    co_return fail(transaction, unavailable, fmt::format("{}: the disk is full", what));
  }
  co_return store::Result<void>();
}

Task<store::Result<void>> SimulatedStore::lock(TransactionPointer transaction, std::string name,
                                               store::Locks locks) {
  const Time at_most = locks == store::Locks::wait_briefly ? kBriefLockTimeout : kLockTimeout;
  if (!co_await database_.lock(transaction, name, at_most)) {
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
  if (environment_.faults.strikes(InjectedFault::commit_in_doubt)) {
    // The connection breaks before or after the server commits, or the server never does.
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

// Ends a transaction without writing. Keeps its session if that is still open.
void SimulatedStore::end(const TransactionPointer& transaction) {
  if (transaction->session->is_open) {
    database_.roll_back(transaction);
    idle_.push_back(transaction->session);
  } else {
    database_.abandon(transaction);
  }
}

std::unexpected<store::Error> SimulatedStore::fail(const TransactionPointer& transaction,
                                                   store::Fault fault, std::string what,
                                                   std::vector<domain::ProductId> products) {
  end(transaction);
  environment_.trace("database: {}", what);
  return std::unexpected(store::Error{fault, std::move(what), std::move(products)});
}

}  // namespace inventory::simulation
