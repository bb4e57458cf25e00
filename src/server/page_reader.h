#pragma once

// PageReader: reads the database for HTTP pages.
//
// Invariants:
//   1. Reads do not disturb the flow: they have a thread and a connection of their own. The
//      connection is kept, and opened again when it is lost. No transaction is open between reads.
//      One read runs at a time.
//   2. At most kPageReadsMax reads wait. A read beyond that, or that takes longer than its timeout,
//      is an error.
//   3. The database may be a standby: it is only read. A read that the standby cancels because
//      replication must go on is tried again, at most kPageReadTriesMax times in all.
//
// Threads: one executor, on which it is used, and which must run until this object is destroyed.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "log/limit.h"
#include "ops/http.h"
#include "store/reader.h"

namespace inventory::server {

inline constexpr std::size_t kPageReadsMax = 16;
inline constexpr std::chrono::milliseconds kPageReadTimeout{700};
inline constexpr int kPageReadTriesMax = 3;

class PageReader {
 public:
  using OpenReader = std::function<std::unique_ptr<store::Reader>()>;

  // `open` is called once, on the thread.
  PageReader(const boost::asio::any_io_executor& executor, OpenReader open,
             std::chrono::milliseconds timeout = kPageReadTimeout);
  PageReader(const PageReader&) = delete;
  PageReader& operator=(const PageReader&) = delete;
  ~PageReader();

  // Returns what `read(reader)` returns, a store::Result; or an error, also if `read` was never
  // called. `read` runs on the thread, perhaps after the caller has given up, and perhaps several
  // times.
  template <class Read>
  ops::Task<std::invoke_result_t<Read&, store::Reader&>> read(Read read);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  template <class Answer>
  struct Pending {
    explicit Pending(const boost::asio::any_io_executor& executor) : answered(executor) {}

    boost::asio::steady_timer answered;
    std::optional<Answer> answer;
  };

  template <class Answer, class Read>
  Answer read_now(Read& read, TimePoint until);

  store::Result<void> begin(TimePoint until);
  void end();
  void report(const store::Error& error);

  static store::Error late();
  static bool may_pass_if_repeated(store::Fault fault);

  boost::asio::any_io_executor executor_;
  OpenReader open_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<store::Reader> reader_;  // the thread's
  std::size_t reads_ = 0;                  // waiting or under way
  log::Limit failures_{5, std::chrono::minutes(1)};
  boost::asio::thread_pool thread_{1};
};

template <class Read>
ops::Task<std::invoke_result_t<Read&, store::Reader&>> PageReader::read(Read read) {
  using Answer = std::invoke_result_t<Read&, store::Reader&>;
  if (reads_ == kPageReadsMax) {
    co_return std::unexpected(store::Error{store::Fault::unavailable, "too many pages wait"});
  }
  ++reads_;
  const auto pending = std::make_shared<Pending<Answer>>(executor_);
  const TimePoint until = std::chrono::steady_clock::now() + timeout_;
  pending->answered.expires_at(until);
  boost::asio::post(thread_, [this, pending, until, read = std::move(read)]() mutable {
    Answer answer = read_now<Answer>(read, until);
    boost::asio::post(executor_, [this, pending, answer = std::move(answer)]() mutable {
      --reads_;
      if (!answer) report(answer.error());
      pending->answer = std::move(answer);
      pending->answered.cancel();
    });
    end();
  });
  co_await pending->answered.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  std::optional<Answer> answer = std::move(pending->answer);
  if (!answer) {
    co_return std::unexpected(late());
  }
  co_return *std::move(answer);
}

template <class Answer, class Read>
Answer PageReader::read_now(Read& read, TimePoint until) {
  for (int tries = 1;; ++tries) {
    if (auto begun = begin(until); !begun) {
      return std::unexpected(std::move(begun.error()));
    }
    Answer answer = read(*reader_);
    if (answer || tries == kPageReadTriesMax || !may_pass_if_repeated(answer.error().fault)) {
      return answer;
    }
    end();
  }
}

}  // namespace inventory::server
