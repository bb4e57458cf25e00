#include "store/postgres/postgres_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/postgres/batch_transaction.h"
#include "store/postgres/connect.h"
#include "store/postgres/connection_info.h"
#include "store/postgres/due_holds.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

// An error in reading or migrating the schema is not due to a request, and affects all of them.
template <class T>
Result<T> of_the_database(Result<T> result) {
  if (!result && result.error().fault == Fault::failing) {
    result.error().fault = Fault::unavailable;
  }
  if (!result && result.error().fault == Fault::locked) {
    result.error().fault = Fault::retryable;
  }
  return result;
}

class PostgresStore final : public Store {
 public:
  PostgresStore(boost::asio::any_io_executor executor, PostgresOptions options)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        info_(options_),
        wanted_{.schema = options_.schema, .owner = options_.owner} {}

  Task<Result<MigrationPlan>> plan_migration() override {
    co_return of_the_database(co_await run<MigrationPlan>(
        [this](Session& session, Deadline deadline) {
          return postgres::plan_migration(session, wanted_, deadline);
        },
        options_.migrate_deadline));
  }

  Task<Result<int>> migrate() override {
    co_return of_the_database(co_await run<int>(
        [this](Session& session, Deadline deadline) {
          return postgres::migrate(session, wanted_, options_.migrate_lock_timeout, deadline);
        },
        options_.migrate_deadline));
  }

  Task<Result<void>> ready() override {
    co_return of_the_database(co_await run<void>(
        [this](Session& session, Deadline deadline) {
          return check_ready(session, wanted_.owner, deadline);
        },
        options_.call_deadline));
  }

  Task<Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, Locks locks,
      std::vector<domain::StockNews>* news) override {
    if (commands.empty()) {
      co_return std::vector<domain::Decision>();
    }
    co_return co_await run<std::vector<domain::Decision>>(
        [this, commands, locks, news](Session& session, Deadline deadline) {
          return postgres::execute(session, commands, locks, news, partition(), deadline);
        },
        options_.call_deadline);
  }

  Task<Result<void>> try_another(std::span<const domain::ProductId> products) override {
    co_return co_await run<void>(
        [products](Session& session, Deadline deadline) {
          return postgres::try_another(session, products, deadline);
        },
        options_.call_deadline);
  }

  Task<Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                    std::size_t count) override {
    co_return of_the_database(co_await run<std::vector<domain::Hold>>(
        [&after, count](Session& session, Deadline deadline) {
          return postgres::due_holds(session, after, count, deadline);
        },
        options_.call_deadline));
  }

 private:
  // An undivided stock counts as the only partition.
  domain::Partition partition() const {
    return options_.owner.partition.value_or(domain::Partition());
  }

  // Runs `work` over an idle connection or a new one. A connection that the server closed while
  // idle is replaced once, without an error: nothing can have been committed over it.
  // `work` is a plain function that starts a coroutine; the frame here keeps it alive.
  template <class T, class Work>
  Task<Result<T>> run(Work work, std::chrono::milliseconds limit) {
    const Deadline deadline = std::chrono::steady_clock::now() + limit;
    if (auto session = take_idle()) {
      auto result = co_await attempt<T>(*session, work, deadline);
      const bool stale = !result && session->lost() && result.error().fault != Fault::in_doubt &&
                         std::chrono::steady_clock::now() < deadline;
      if (!stale) {
        co_await put_back(std::move(session), deadline, result ? nullptr : &result.error());
        co_return result;
      }
    }
    auto connected = co_await connect(
        executor_, info_,
        std::min(deadline, std::chrono::steady_clock::now() + options_.connect_timeout));
    if (!connected) {
      co_return std::unexpected(connected.error());
    }
    auto session = std::make_unique<Session>(executor_, std::move(*connected));
    const auto set_up = of_the_database(co_await session->script(
        "setting up the session",
        fmt::format("{}; {}; {}; {}", kKeepCommits.sql, kNoTransactionTimeout.sql,
                    kEndWithoutClient.sql, kPlanForCitus.sql),
        deadline));
    if (!set_up) {
      co_return std::unexpected(set_up.error());
    }
    session->set_remote_tables(PQntuples(set_up->back().get()) > 0);  // the result of kPlanForCitus
    auto result = co_await attempt<T>(*session, work, deadline);
    co_await put_back(std::move(session), deadline, result ? nullptr : &result.error());
    co_return result;
  }

  // Repeats the work if the session has found that it must check what it writes.
  template <class T, class Work>
  Task<Result<T>> attempt(Session& session, Work& work, Deadline deadline) {
    auto result = co_await work(session, deadline);
    if (!session.has_begun_to_check()) {
      co_return result;
    }
    session.command("ROLLBACK");
    if (const auto rolled_back = co_await session.synchronize("rolling back", deadline);
        !rolled_back) {
      co_return std::unexpected(rolled_back.error());
    }
    co_return co_await work(session, deadline);
  }

  std::unique_ptr<Session> take_idle() {
    if (idle_.empty()) {
      return nullptr;
    }
    auto session = std::move(idle_.back());
    idle_.pop_back();
    return session;
  }

  // Keeps the connection, unless it caused the error.
  Task<void> put_back(std::unique_ptr<Session> session, Deadline deadline, const Error* error) {
    if (session->is_doubtful() || (error && error->fault == Fault::unavailable)) {
      co_return;
    }
    if (error && !session->lost()) {
      session->command("ROLLBACK");
      session->command(kReleaseLocks.sql);
      co_await session->synchronize("rolling back", deadline);
    }
    if (session->idle()) {
      idle_.push_back(std::move(session));
    }
  }

  boost::asio::any_io_executor executor_;
  PostgresOptions options_;
  ConnectionInfo info_;
  WantedTables wanted_;
  std::vector<std::unique_ptr<Session>> idle_;  // no more than calls ever overlapped
};

}  // namespace

std::unique_ptr<Store> make_postgres_store(boost::asio::any_io_executor executor,
                                           PostgresOptions options) {
  return std::make_unique<PostgresStore>(std::move(executor), std::move(options));
}

}  // namespace inventory::store::postgres
