#pragma once

// Store: the port through which the flow decides requests against a database. execute() is the only
// way to change stock. The store knows stock, ledger and answers, but not what an order is.
//
// Guarantees of every adapter:
//   1. A batch is decided by the domain's rules in one transaction, which is durable when the call
//      returns a value: it survives a crash of the process or the machine.
//   2. After an error other than in_doubt, nothing was written. After in_doubt, that is unknown.
//      Either way the same batch may be passed again: decided identities are replayed.
//   3. Any number of instances may decide at the same time; stock never goes below zero. (SQLite
//      allows one instance per file, and refuses a second.)
//
// Threads:  one object on one executor. Calls may overlap.
// Suspends: every function. Each returns within the adapter's deadlines, even if the database
//           hangs.
// Errors:   values of store::Error; the next call that needs a connection reconnects.
// Limits:   at most kBatchMax requests in a batch.

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "domain/command.h"
#include "domain/hold.h"
#include "store/error.h"
#include "store/migration_plan.h"

namespace inventory::store {

inline constexpr std::size_t kBatchMax = 10'000;

// How long a batch waits for a row that somebody else has locked.
enum class Locks {
  // A moment; then the batch fails with `locked`.
  wait,
  // The same, but only as long as another instance needs to commit.
  wait_briefly,
  // Not at all: the batch fails with `locked` at once and names the products. Statements get little
  // time as well: this serves to find the cause of a failure.
  skip,
};

template <class T>
using Task = boost::asio::awaitable<T>;

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // What migrate() would do now. Changes nothing, takes no lock and creates no file. A store
  // without a schema has nothing to do.
  virtual Task<Result<MigrationPlan>> plan_migration() { co_return MigrationPlan(); }

  // Brings the schema up to date, one instance at a time; adopts a table that the Python service
  // left. Returns the number of migrations applied.
  // Errors: refused if the plan has obstacles; the text lists all of them.
  virtual Task<Result<int>> migrate() = 0;

  // Connects if there is no connection, and checks that the database can serve: it answers, is
  // writable, and has the schema that this program needs.
  virtual Task<Result<void>> ready() = 0;

  // Decides the requests, in order; they may be of different kinds. Returns one decision for each
  // request, of its kind. If it returns a value, `news`, unless null, receives the stock news
  // (domain/news.h). `commands` and `news` outlive the call.
  virtual Task<Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, Locks locks = Locks::wait,
      std::vector<domain::StockNews>* news = nullptr) = 0;

  // Checks whether a product other than these can be sold: decides an order for one and rolls it
  // back. `products` outlive the call.
  // Errors: why not. The cause may lie in that product alone: the next call may try another.
  virtual Task<Result<void>> try_another(std::span<const domain::ProductId> products) = 0;

  // The first `count` open holds that are due by the database's clock, in the order in which they
  // became due; only those after `after`, if given. Changes nothing.
  virtual Task<Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                            std::size_t count) = 0;
};

}  // namespace inventory::store
