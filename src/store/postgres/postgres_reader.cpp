#include "store/postgres/postgres_reader.h"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/connect.h"
#include "store/postgres/connection_info.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {
namespace {

constexpr const char* kBeginToRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// A transaction sees the database as it is at its first statement.
constexpr const char* kSettle = "SELECT count(*) FROM inventory_migration";

constexpr Statement kStock{"stock", R"sql(
SELECT id::bigint, quantity::bigint FROM inventory WHERE id > $1 ORDER BY id LIMIT $2)sql"};

constexpr Statement kItems{"items", R"sql(
SELECT id::bigint, quantity::bigint, description::text, created_at::timestamp FROM inventory
WHERE id > $1 ORDER BY id LIMIT $2)sql"};

constexpr Statement kLedgerSums{"ledger_sums", R"sql(
SELECT product_id::bigint, sum(delta)::bigint FROM inventory_ledger
WHERE product_id > $1 AND product_id <= $2
GROUP BY product_id HAVING sum(delta) <> 0 ORDER BY product_id)sql"};

PostgresOptions for_reading(PostgresOptions options, std::chrono::milliseconds call_deadline) {
  options.session_attrs = "any";
  options.lock_timeout = options.migrate_lock_timeout;
  // Deadlines of its own: nobody waits for what it holds.
  options.statement_timeout = call_deadline;
  options.idle_in_transaction_session_timeout = call_deadline;
  return options;
}

class PostgresReader : public Reader {
 public:
  PostgresReader(PostgresOptions options, std::chrono::milliseconds call_deadline)
      : connect_timeout_(options.connect_timeout),
        call_deadline_(call_deadline),
        info_(for_reading(std::move(options), call_deadline)) {}

  Result<void> begin() override { return run(connect_and_begin()); }

  Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) override {
    return run(amounts("reading the stock", "table inventory", "quantity", kStock, after,
                       static_cast<std::int64_t>(count)));
  }

  Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count) override {
    return run(read_items(after, static_cast<std::int64_t>(count)));
  }

  Result<std::vector<Amount>> ledger_sums(domain::ProductId after,
                                          domain::ProductId last) override {
    return run(amounts("adding up the ledger", "table inventory_ledger", "the sum of delta",
                       kLedgerSums, after, last));
  }

 private:
  // Runs the event loop until the call has its result.
  template <class T>
  T run(Task<T> task) {
    auto result = boost::asio::co_spawn(loop_, std::move(task), boost::asio::use_future);
    loop_.restart();
    loop_.run();
    return result.get();
  }

  Task<Result<void>> connect_and_begin() {
    session_.reset();
    auto connected = co_await connect(loop_.get_executor(), info_,
                                      std::chrono::steady_clock::now() + connect_timeout_);
    if (!connected) {
      co_return std::unexpected(std::move(connected.error()));
    }
    session_ = std::make_unique<Session>(loop_.get_executor(), std::move(*connected));
    session_->command(kBeginToRead);
    session_->command(kSettle);
    const auto begun = co_await session_->synchronize("beginning to read", deadline());
    if (!begun) {
      Error error = begun.error();
      if (error.fault == Fault::failing) {
        error.fault = Fault::unavailable;  // no row has been looked at
      }
      co_return std::unexpected(std::move(error));
    }
    co_return Result<void>();
  }

  Task<Result<std::vector<Amount>>> amounts(const char* doing, const char* table,
                                            const char* column, const Statement& statement,
                                            std::int64_t first, std::int64_t second) {
    session_->execute(statement, {binary_bigint(first), binary_bigint(second)});
    const auto results = co_await session_->synchronize(doing, deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    std::vector<Amount> amounts;
    amounts.reserve(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row) {
      const auto product = read_bigint(rows, row, 0);
      const auto quantity = read_bigint(rows, row, 1);
      if (!product || !quantity) {
        co_return std::unexpected(unreadable(table, product, column));
      }
      amounts.push_back({*product, *quantity});
    }
    co_return amounts;
  }

  Task<Result<std::vector<StoredItem>>> read_items(std::int64_t after, std::int64_t count) {
    session_->execute(kItems, {binary_bigint(after), binary_bigint(count)});
    const auto results = co_await session_->synchronize("reading items", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    std::vector<StoredItem> items(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row) {
      StoredItem& item = items[static_cast<std::size_t>(row)];
      const auto id = read_bigint(rows, row, 0);
      const auto quantity = read_bigint(rows, row, 1);
      if (!id || !quantity) {
        co_return std::unexpected(unreadable("table inventory", id, "quantity"));
      }
      item.id = *id;
      item.quantity = *quantity;
      item.description = read_text(rows, row, 2);
      item.created_at = read_timestamp(rows, row, 3);
    }
    co_return items;
  }

  Error unreadable(const char* table, std::optional<domain::ProductId> product,
                   const char* column) const {
    return {Fault::failing,
            fmt::format("PostgreSQL {}: {}, product {}: {} is NULL", session_->where(), table,
                        product ? std::to_string(*product) : "NULL", column)};
  }

  Deadline deadline() const { return std::chrono::steady_clock::now() + call_deadline_; }

  boost::asio::io_context loop_{1};
  std::chrono::milliseconds connect_timeout_;
  std::chrono::milliseconds call_deadline_;
  ConnectionInfo info_;
  std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Reader> make_postgres_reader(PostgresOptions options,
                                             std::chrono::milliseconds call_deadline) {
  return std::make_unique<PostgresReader>(std::move(options), call_deadline);
}

}  // namespace inventory::store::postgres
