#include "store/sqlite/sqlite_store.h"

#include <atomic>
#include <chrono>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "store/sqlite/database_file.h"

namespace inventory::store::sqlite {
namespace {

namespace asio = boost::asio;

// After this long without work, nobody is likely to wait for the checkpoint that follows.
constexpr std::chrono::milliseconds kIdleBeforeCheckpoint{500};

// With Locks::skip, as in PostgreSQL: failed requests are retried while others wait.
constexpr std::chrono::milliseconds kHurry{250};

class SqliteStore : public Store {
 public:
  SqliteStore(asio::any_io_executor executor, SqliteOptions options)
      : executor_(std::move(executor)), path_(options.path), file_(std::move(options)) {}

  ~SqliteStore() override {
    closing_ = true;
    asio::post(thread_, [this] { idle_.cancel(); });
    thread_.join();
  }

  Task<Result<MigrationPlan>> plan_migration() override {
    return on_thread<Result<MigrationPlan>>(
        [](DatabaseFile& file) { return file.plan_migration(); });
  }

  Task<Result<int>> migrate() override {
    return on_thread<Result<int>>([](DatabaseFile& file) { return file.migrate(); });
  }

  Task<Result<void>> ready() override {
    return on_thread<Result<void>>([](DatabaseFile& file) { return file.ready(); });
  }

  Task<Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, Locks locks,
      std::vector<domain::StockNews>* news) override {
    const auto limit = locks == Locks::skip ? kHurry : std::chrono::milliseconds::max();
    return on_thread<Result<std::vector<domain::Decision>>>(
        [commands, limit, news](DatabaseFile& file) {
          return file.execute(commands, limit, news);
        });
  }

  Task<Result<void>> try_another(std::span<const domain::ProductId> products) override {
    return on_thread<Result<void>>(
        [products](DatabaseFile& file) { return file.try_another(products); });
  }

  Task<Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                    std::size_t count) override {
    return on_thread<Result<std::vector<domain::Hold>>>(
        [after = std::move(after), count](DatabaseFile& file) {
          return file.due_holds(after, count);
        });
  }

 private:
  // Runs `work` on the store's thread and resumes on the executor with its result. The store may be
  // destroyed by then, so nothing of it is used after the wait.
  template <class T, class Work>
  Task<T> on_thread(Work work) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
        [this, work](auto handler) {
          asio::post(thread_, [this, work, handler = std::move(handler),
                               alive = asio::make_work_guard(executor_)]() mutable {
            T result = closing_ ? T(std::unexpected(closed())) : work(file_);
            asio::post(alive.get_executor(),
                       [handler = std::move(handler), result = std::move(result)]() mutable {
                         std::move(handler)(std::move(result));
                       });
            alive.reset();
            after_work();
          });
        },
        asio::use_awaitable);
  }

  Error closed() const {
    return {Fault::link_lost, fmt::format("SQLite database {}: the store is being closed", path_)};
  }

  // Runs on the store's thread, after the caller was answered.
  void after_work() {
    if (file_.needs_checkpoint()) {
      file_.checkpoint();
    } else if (file_.wants_checkpoint() && !closing_) {
      idle_.expires_after(kIdleBeforeCheckpoint);
      idle_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
          file_.checkpoint();
        }
      });
    }
  }

  asio::any_io_executor executor_;
  std::string path_;
  DatabaseFile file_;  // used on the thread only
  std::atomic<bool> closing_ = false;
  asio::thread_pool thread_{1};
  asio::steady_timer idle_{thread_};
};

}  // namespace

std::unique_ptr<Store> make_sqlite_store(asio::any_io_executor executor, SqliteOptions options) {
  return std::make_unique<SqliteStore>(std::move(executor), std::move(options));
}

}  // namespace inventory::store::sqlite
