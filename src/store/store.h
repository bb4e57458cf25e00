#pragma once

// Store: the port through which the flow decides requests against a database. The one way to
// change stock is execute(); the store knows stock, ledger and answers, and not what an order is.
//
// Guarantees, whichever the adapter:
//   1. A batch is decided by the domain's rules in one transaction, which is durable when the call
//      returns a value: it survives a crash of the process and of the machine.
//   2. With an error other than in_doubt nothing was written. With in_doubt it is not known.
//      Either way the same batch may be passed again: identities that were decided are replayed.
//   3. Any number of instances may decide at the same time; stock never goes below zero. (SQLite
//      admits one instance a file, and says so to a second one.)
//
// Threads:  one object on one executor. Calls may overlap.
// Suspends: every function. Each ends within the adapter's deadlines, whatever the database does.
// Errors:   values of store::Error; the connection is made again by the next call that needs it.
// Limits:   a batch is at most kBatchMax requests.

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

// What a batch does where somebody else holds a row that it needs.
enum class Locks {
  // For some moments; then the batch fails with `locked`.
  wait,
  // The same, but for no longer than another instance needs to commit.
  wait_briefly,
  // Not at all: the batch fails with `locked` at once and names the products. Nor does it wait long
  // for a statement: the cause of a failure is being looked for.
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

  // What migrate() would do now. Changes nothing, takes no lock and makes no file. A store without
  // a schema has nothing to do.
  virtual Task<Result<MigrationPlan>> plan_migration() { co_return MigrationPlan(); }

  // Brings the schema up to date, one instance at a time; adopts a table that the Python service
  // left. Returns the number of migrations that were applied: 0 if there was nothing to do.
  // Errors: refused where the plan has obstacles; the text holds them all.
  virtual Task<Result<int>> migrate() = 0;

  // Connects where a connection is missing and checks that the database can decide: it answers, is
  // writable, and its schema is the one that this program needs.
  virtual Task<Result<void>> ready() = 0;

  // Decides the requests, of whatever kinds, in their order. One decision a request, of its kind.
  // `news`, unless it is null, gets what there is to tell of the stock (domain/news.h), where a
  // value is returned. `commands` and `news` outlive the call.
  virtual Task<Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, Locks locks = Locks::wait,
      std::vector<domain::StockNews>* news = nullptr) = 0;

  // Whether a product beside these can be sold: decides an order for one, and takes that back.
  // Nothing stays written. `products` outlive the call.
  // Errors: why not. It may be for that product alone: the next call may try another.
  virtual Task<Result<void>> try_another(std::span<const domain::ProductId> products) = 0;

  // The first `count` open holds that are due by the database's clock, in the order in which they
  // became due; those behind `after`, if it is there. Changes nothing.
  virtual Task<Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                            std::size_t count) = 0;
};

}  // namespace inventory::store
