#pragma once

// The conformance suite: tests on every adapter what a caller of Store relies on.
//
// An adapter joins by an entry in conformance_adapters.cpp: a factory of databases, each new, empty
// and removed with its object. The suite looks into a database only through TestDatabase.

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "store/archiver.h"
#include "store/reader.h"
#include "store/store.h"
#include "store/tables_owner.h"
#include "store/testing/one_kind.h"

namespace inventory::store::conformance {

inline constexpr std::int64_t kMax = 9'007'199'254'740'991;  // 2^53 - 1: the contract's largest

// What an operator's trigger does to updates of a product's row.
enum class Meddling { refuse, swallow, overwrite };

// TestDatabase: one database of an adapter, and access to it beside the store.
class TestDatabase {
 public:
  TestDatabase() = default;
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  virtual ~TestDatabase() = default;

  // A store on this database, not migrated, with its results on `executor`.
  virtual std::unique_ptr<Store> open(boost::asio::any_io_executor executor) = 0;

  // The same, expecting tables of this owner.
  virtual std::unique_ptr<Store> open_as(boost::asio::any_io_executor executor,
                                         const TablesOwner& owner) = 0;

  // A reader of this database.
  virtual std::unique_ptr<Reader> open_reader() = 0;

  // An archiver of this database.
  virtual std::unique_ptr<Archiver> open_archiver() = 0;

  // The stock of a product; empty if there is no such product.
  virtual std::optional<domain::Quantity> on_hand(domain::ProductId product) = 0;

  // The sum of the deltas of a product's ledger entries; 0 if it has none.
  virtual domain::Quantity ledger_sum(domain::ProductId product) = 0;

  // Creates the table `inventory` as the Python service does, without rows.
  virtual void make_python_table() = 0;

  // Runs SQL that every adapter understands; throws on failure.
  virtual void execute(const std::string& sql) = 0;

  // Creates a trigger that swallows updates of the ledger.
  virtual void swallow_updates_of_the_ledger() = 0;

  // Creates a trigger that does this to updates of the product's row.
  virtual void meddle_with_updates(Meddling meddling, domain::ProductId product) = 0;
};

struct Adapter {
  std::string name;        // letters and digits: part of the tests' names
  bool several_instances;  // whether several stores may be open on one database
  std::function<std::unique_ptr<TestDatabase>()> make_database;
  std::string unavailable = {};  // why it cannot make a database here; empty if it can
};

std::vector<Adapter> adapters();

inline void PrintTo(const Adapter& adapter, std::ostream* out) { *out << adapter.name; }

using OrderDecisions = std::vector<domain::OrderDecision>;
using ItemDecisions = std::vector<domain::ItemDecision>;

// StoreOnLoop: a store on a test's database, and the event loop that its calls run on. Without a
// database there is no store, and the test is skipped.
class StoreOnLoop {
 public:
  explicit StoreOnLoop(std::unique_ptr<TestDatabase> database)
      : database_(std::move(database)), store_(database_ ? open() : nullptr) {}

  std::unique_ptr<Store> open() { return database_->open(loop_.get_executor()); }

  // Destroys the store and opens one for another owner on the same database.
  void reopen_as(const TablesOwner& owner) {
    store_.reset();
    store_ = database_->open_as(loop_.get_executor(), owner);
  }

  // Destroys the store and opens another one on the same database.
  void reopen() {
    store_.reset();
    store_ = open();
  }

  void migrate() {
    const auto applied = run(store_->migrate());
    ASSERT_TRUE(applied) << applied.error().what;
  }

  // Starts a call and runs the loop until it has its result.
  template <class T>
  T run(Task<T> task) {
    auto result = start(std::move(task));
    return finish(result);
  }

  // The two halves of run(), for calls that overlap. When start() returns, the store has the call;
  // finish() throws after a minute without a result.
  template <class T>
  std::future<T> start(Task<T> task) {
    auto result = boost::asio::co_spawn(loop_, std::move(task), boost::asio::use_future);
    loop_.restart();
    loop_.poll();
    return result;
  }

  template <class T>
  T finish(std::future<T>& result) {
    loop_.restart();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      if (loop_.run_one_until(deadline) == 0) {
        throw std::runtime_error("the call has no result and nothing is left to run");
      }
    }
    return result.get();
  }

  // Calls that must succeed; they throw on failure.
  OrderDecisions decide(std::span<const domain::Order> orders) {
    auto decisions = run(decide_orders(*store_, orders));
    if (!decisions) {
      throw std::runtime_error("decide_orders: " + decisions.error().what);
    }
    return std::move(*decisions);
  }

  OrderDecisions decide(std::initializer_list<domain::Order> orders) {
    return decide(std::span(orders.begin(), orders.size()));
  }

  ItemDecisions add(std::span<const domain::NewItem> requests) {
    auto decisions = run(add_items(*store_, requests));
    if (!decisions) {
      throw std::runtime_error("add_items: " + decisions.error().what);
    }
    return std::move(*decisions);
  }

  ItemDecisions add(std::initializer_list<domain::NewItem> requests) {
    return add(std::span(requests.begin(), requests.size()));
  }

  // Adds an item with this stock and returns its id.
  domain::ProductId product(domain::Quantity stock) {
    return add({{std::nullopt, stock, std::nullopt, {}}}).at(0).item.id;
  }

 protected:
  boost::asio::io_context loop_;
  std::unique_ptr<TestDatabase> database_;
  std::unique_ptr<Store> store_;
};

// Conformance: the suite's tests, each on an empty database of each adapter.
class Conformance : public testing::TestWithParam<Adapter>, public StoreOnLoop {
 protected:
  Conformance()
      : StoreOnLoop(GetParam().unavailable.empty() ? GetParam().make_database() : nullptr) {}

  void SetUp() override {
    if (!GetParam().unavailable.empty()) {
      GTEST_SKIP() << GetParam().unavailable;
    }
  }
};

inline const domain::OrderDecision kAccepted{.outcome = domain::Outcome::accepted};
inline const domain::OrderDecision kNotEnough{.outcome = domain::Outcome::not_enough_stock};
inline const domain::OrderDecision kNotFound{.outcome = domain::Outcome::product_not_found};

inline domain::OrderDecision replay(domain::OrderDecision decision) {
  decision.replayed = true;
  return decision;
}

inline domain::Order order(std::int64_t id, domain::ProductId product, domain::Quantity quantity) {
  return {domain::OrderId(id), product, quantity};
}

inline domain::Order order(std::string id, domain::ProductId product, domain::Quantity quantity) {
  return {domain::OrderId(std::move(id)), product, quantity};
}

}  // namespace inventory::store::conformance

namespace inventory::domain {

// How failed expectations print decisions.
inline void PrintTo(const OrderDecision& decision, std::ostream* out) {
  if (decision.conflicts_with) {
    *out << "conflict with quantity " << *decision.conflicts_with;
  } else {
    *out << row_of(decision.outcome).text << (decision.replayed ? ", replayed" : "");
  }
}

inline void PrintTo(const Item& item, std::ostream* out) {
  *out << "item " << item.id << " quantity " << item.quantity << " description "
       << item.description.value_or("(null)") << " created at "
       << item.created_at.time_since_epoch().count() << " us";
}

inline void PrintTo(const ItemDecision& decision, std::ostream* out) {
  PrintTo(decision.item, out);
  *out << (decision.replayed ? ", replayed" : "");
  if (decision.conflicts_with) {
    *out << ", conflict with item " << *decision.conflicts_with;
  }
}

}  // namespace inventory::domain
