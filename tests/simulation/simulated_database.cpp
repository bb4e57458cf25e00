#include "simulated_database.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace inventory::simulation {
std::shared_ptr<Session> SimulatedDatabase::connect(const LifePointer& life) {
  sessions_.push_back(std::make_shared<Session>(life));
  return sessions_.back();
}

TransactionPointer SimulatedDatabase::begin(std::shared_ptr<Session> session) {
  open_.push_back(
      std::make_shared<Transaction>(environment_.scheduler.context(), std::move(session)));
  open_.back()->began = environment_.scheduler.wall_now();
  return open_.back();
}

bool SimulatedDatabase::is_locked(const std::string& name,
                                  const TransactionPointer& by_other_than) const {
  const auto lock = locks_.find(name);
  return lock != locks_.end() && lock->second != by_other_than.get();
}

Task<bool> SimulatedDatabase::lock(TransactionPointer transaction, std::string name, Time longest) {
  const Time deadline = environment_.scheduler.now() + longest;
  while (transaction->is_open()) {
    const auto [lock, is_free] = locks_.emplace(name, transaction.get());
    if (is_free || lock->second == transaction.get()) {
      transaction->locks.insert(name);
      co_return true;
    }
    if (environment_.scheduler.now() >= deadline) {
      co_return false;
    }
    transaction->waits_for = lock->second;
    check_for_deadlock(*transaction);
    environment_.trace("database: waiting for {}", name);
    environment_.scheduler.at(deadline, [transaction] { transaction->woken.notify(); });
    co_await transaction->woken.wait();
    transaction->waits_for = nullptr;
  }
  co_return false;
}

void SimulatedDatabase::check_for_deadlock(const Transaction& transaction) {
  for (const auto* other = transaction.waits_for; other != nullptr; other = other->waits_for) {
    if (other == &transaction) {
      environment_.checks.broken("instances cannot deadlock", *transaction.locks.begin());
      return;
    }
  }
}

void SimulatedDatabase::commit(const TransactionPointer& transaction) {
  if (!transaction->is_open()) {
    return;
  }
  Tables& tables = environment_.tables;
  std::set<domain::ProductId> touched;
  auto seen = seen_by(*transaction);
  for (const auto& [product, stock] : transaction->changed_stock) {
    tables.items.at(product).quantity = stock.quantity;
    auto& version = tables.versions[product];
    if (stock.version <= version) {
      environment_.checks.broken(
          "the version of a product grows with each change",
          fmt::format("product {}: {} after {}", product, stock.version, version));
    }
    version = stock.version;
    touched.insert(product);
  }
  for (const auto& [item, stock] : transaction->added_items) {
    domain::Item& added = tables.items.emplace(item.id, item).first->second;
    added.quantity = stock.quantity;
    tables.versions[item.id] = stock.version;
    touched.insert(item.id);
    seen[item.id] = std::nullopt;
  }
  for (const auto& answer : transaction->new_requests) {
    if (!tables.requests.emplace(answer.identity, answer).second) {
      environment_.checks.broken("an identity is decided once", answer.identity);
    }
  }
  for (const auto& [key, entry] : transaction->new_entries) {
    touched.insert(key.first);
    environment_.trace("database: product {}, {} decided: {}", key.first, key.second, entry.delta);
    if (!tables.ledger.emplace(key, entry).second) {
      environment_.checks.broken("an identity is decided once",
                                 fmt::format("product {}, {}", key.first, key.second));
    }
  }
  write_holds(*transaction);
  for (std::size_t at = 0; at < transaction->commands.size(); ++at) {
    const domain::Command& command = transaction->commands[at];
    const bool is_serial = std::ranges::all_of(
        domain::products_of(command),
        [&](domain::ProductId product) { return transaction->locks.contains(item_lock(product)); });
    environment_.checks.on_decision(command, transaction->decisions[at], is_serial,
                                    transaction->began);
  }
  environment_.checks.events().on_committed(transaction->commands, transaction->decisions, seen,
                                            *transaction->session->life);
  end(transaction, Transaction::State::committed);
  environment_.checks.on_commit(touched);
  if (transaction->arrivals != nullptr) {
    environment_.checks.on_decided(*transaction->arrivals, transaction->epoch,
                                   transaction->new_entries);
  }
}

// The stock of the products that the transaction has locked.
std::map<domain::ProductId, std::optional<domain::Stock>> SimulatedDatabase::seen_by(
    const Transaction& transaction) const {
  const Tables& tables = environment_.tables;
  std::map<domain::ProductId, std::optional<domain::Stock>> seen;
  for (const auto& [product, item] : tables.items) {
    if (!transaction.locks.contains(item_lock(product))) continue;
    const auto version = tables.versions.find(product);
    seen[product] = {item.quantity, version == tables.versions.end() ? 0 : version->second,
                     item.low_stock};
  }
  return seen;
}

void SimulatedDatabase::write_holds(const Transaction& transaction) {
  auto& holds = environment_.tables.holds;
  for (const auto& hold : transaction.opened) {
    if (!holds.emplace(hold.key, hold).second) {
      environment_.checks.broken("a hold begins once", hold.key.second);
    }
  }
  for (const auto& key : transaction.closed) {
    if (holds.erase(key) == 0) environment_.checks.broken("a hold ends once", key.second);
  }
}

void SimulatedDatabase::roll_back(const TransactionPointer& transaction) {
  if (transaction->is_open()) {
    end(transaction, Transaction::State::rolled_back);
  }
}

void SimulatedDatabase::end(const TransactionPointer& transaction, Transaction::State state) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): it may be the one in open_
  const TransactionPointer kept = transaction;
  kept->state = state;
  for (const std::string& name : kept->locks) {
    locks_.erase(name);
  }
  std::erase(open_, kept);
  kept->woken.notify();
  for (const TransactionPointer& other : open_) {
    if (other->waits_for == kept.get()) {
      other->waits_for = nullptr;
      other->woken.notify();
    }
  }
}

void SimulatedDatabase::abandon(const TransactionPointer& transaction) {
  transaction->session->is_open = false;
  if (transaction->state == Transaction::State::open || environment_.random.chance(300)) {
    environment_.scheduler.after(environment_.latency(),
                                 [this, transaction] { roll_back(transaction); });
  }
}

void SimulatedDatabase::go_down(Time how_long) {
  if (!is_up_) {
    return;
  }
  environment_.trace("database: down for {}", how_long.count());
  is_up_ = false;
  for (const auto& session : sessions_) {
    session->is_open = false;
  }
  sessions_.clear();
  const auto open = open_;
  for (const TransactionPointer& transaction : open) {
    if (transaction->state == Transaction::State::committing && environment_.random.chance(500)) {
      commit(transaction);
    } else {
      roll_back(transaction);
    }
  }
  environment_.scheduler.after(how_long, [this] { is_up_ = true; });
}

void SimulatedDatabase::forget(const LifePointer& life) {
  std::erase_if(sessions_, [&](const auto& session) { return session->life == life; });
  for (const TransactionPointer& transaction : open_) {
    if (transaction->session->life == life) {
      abandon(transaction);
    }
  }
}

void SimulatedDatabase::set_failing(domain::ProductId product, bool is_failing) {
  environment_.trace("database: product {} {}", product, is_failing ? "fails" : "passes again");
  if (is_failing) {
    failing_.insert(product);
  } else {
    failing_.erase(product);
  }
}

void SimulatedDatabase::keep_locked(domain::ProductId product, Time how_long) {
  boost::asio::co_spawn(environment_.scheduler.context(), hold(item_lock(product), how_long),
                        boost::asio::detached);
}

Task<void> SimulatedDatabase::hold(std::string name, Time how_long) {
  const auto transaction = begin(std::make_shared<Session>(others_));
  const bool is_locked = co_await lock(transaction, name, seconds(60));
  if (is_locked && may_hold_) {
    environment_.trace("database: somebody keeps {} locked for {}", name, how_long.count());
    co_await environment_.scheduler.sleep(others_, how_long);
  }
  roll_back(transaction);
}

void SimulatedDatabase::end_bad_things() {
  failing_.clear();
  are_items_failing_ = false;
  may_hold_ = false;
  const auto open = open_;
  for (const TransactionPointer& transaction : open) {
    if (transaction->session->life == others_) {
      roll_back(transaction);
    }
  }
}

void SimulatedDatabase::clear() {
  sessions_.clear();
  open_.clear();
  locks_.clear();
}

}  // namespace inventory::simulation
