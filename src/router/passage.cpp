#include "router/passage.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/queues.h"

namespace inventory::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kInHandMax{10};          // if the partition's queue takes none
constexpr milliseconds kStandsStill{500};  // if it would soon stop the others
constexpr seconds kFirstLookMax{2};        // until then all new requests are held
constexpr milliseconds kReadAgainFirst{100};
constexpr milliseconds kReadAgainLast{10'000};

}  // namespace

Passage::Passage(const boost::asio::any_io_executor& executor, PassageOptions options,
                 Outlets& outlets, Reserves& reserves, service::Clock& clock, Events events)
    : executor_(executor),
      options_(std::move(options)),
      reserves_(reserves),
      clock_(clock),
      events_(std::move(events)),
      reserve_queue_(
          contract::reserve_queue(contract::partition_queue(options_.source, options_.partition))),
      lane_(executor,
            {.queue = contract::partition_queue(options_.source, options_.partition),
             .source = options_.source,
             .seed = options_.seed},
            outlets, clock,
            {.on_taken =
                 [this](const Parcel& parcel) {
                   ++passed_;
                   on_taken(parcel);
                 },
             .on_refused = [this](Parcel parcel,
                                  const amqp::Error& why) { on_refused(std::move(parcel), why); },
             .on_change = events_.on_change}),
      reserve_(
          executor,
          {.queue = reserve_queue_,
           .source = options_.source,
           .may_be_new = true,
           .seed = options_.seed + 1},
          outlets, clock,
          {.on_taken =
               [this](const Parcel& parcel) {
                 ++set_aside_;
                 on_taken(parcel);
               },
           .on_refused = [this](Parcel parcel,
                                const amqp::Error& why) { on_refused(std::move(parcel), why); },
           .on_change = events_.on_change}),
      backoff_(kReadAgainFirst, kReadAgainLast, options_.seed + 2),
      log_(clock),
      wake_(executor, clock),
      ended_(executor, clock) {}

void Passage::begin() { is_ending_ = false; }

void Passage::look_aside() {
  ++looks_;
  if (is_aside_ || is_stopping_) return;
  if (lane_.trouble()) {
    go_aside();
    return;
  }
  is_aside_ = true;
  held_until_ = clock_.steady_now() + kFirstLookMax;
  kick();
}

void Passage::add(Parcel parcel) {
  if (!is_aside_) {
    lane_.add(std::move(parcel));
    return;
  }
  if (held_.empty()) held_since_ = clock_.steady_now();
  held_.push_back(std::move(parcel));
  bound_held();
}

void Passage::bound_held() {
  const auto now = clock_.steady_now();
  if (held_.empty() || is_stopping_ || now < held_until_) return;
  if (held_.size() > options_.share || now - held_since_ >= kInHandMax) {
    put_into_reserve(std::exchange(held_, {}));
  }
}

// Messages from the reserve are removed there once all of them are settled: see drain().
void Passage::on_taken(const Parcel& parcel) {
  if (parcel.from == Parcel::From::source) events_.on_passed(parcel.delivery_tag);
  wake_.notify();
}

void Passage::on_refused(Parcel parcel, const amqp::Error& why) {
  if (parcel.from == Parcel::From::reserve) ++refused_;
  events_.on_refused(std::move(parcel), why);
}

void Passage::buried(const Parcel& parcel) {
  if (parcel.from == Parcel::From::reserve) --refused_;
  on_taken(parcel);
}

void Passage::look() {
  lane_.look();
  reserve_.look();
  if (is_aside_) {
    bound_held();
  } else if (must_go_aside() && !is_stopping_) {
    go_aside();
  }
}

bool Passage::must_go_aside() const {
  const std::size_t unsettled = lane_.unsettled();
  if (unsettled == 0 || lane_.blocked()) return false;
  const auto now = clock_.steady_now();
  if (unsettled > options_.share && lane_.is_rejecting()) return true;
  if (lane_.trouble()) {
    const auto lasted = now - lane_.trouble_since();
    return lasted >= kInHandMax || (unsettled > options_.share && lasted >= kStandsStill);
  }
  const auto since = lane_.unanswered_since();
  return unsettled > options_.most && since && now - *since >= kStandsStill;
}

void Passage::go_aside() {
  is_aside_ = true;
  auto parcels = lane_.take_all();
  spdlog::warn("{}: {} requests for partition {} go to {} until its queue takes them",
               options_.source, parcels.size(), options_.partition, reserve_queue_);
  put_into_reserve(std::move(parcels));
  kick();
}

void Passage::put_into_reserve(std::deque<Parcel> parcels) {
  for (Parcel& parcel : parcels) reserve_.add(std::move(parcel));
}

void Passage::kick() {
  if (is_draining_) return;
  is_draining_ = true;
  boost::asio::co_spawn(executor_, drain(), [this](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);  // a bug
    is_draining_ = false;
    ended_.notify();
    if (is_aside_ && !is_ending_) kick();  // again, in the turn in which it ended
  });
}

// Passes on what the router's own queue holds, until it is empty.
Task<void> Passage::drain() {
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  std::unique_ptr<Reserve> reserve;
  while (!is_ending_) {
    if (lane_.unsettled() > 0 || refused_ > 0) {  // the taken ones go first
      co_await wake_.wait(std::nullopt);
      continue;
    }
    if (reserve && !taken_.empty()) {
      if (!reserve->remove(taken_)) reserve.reset();  // they are put back, and come twice
    }
    taken_.clear();
    if (is_stopping_) {
      co_await wake_.wait(std::nullopt);
      continue;
    }
    if (!reserve) {
      auto opened = co_await reserves_.open(reserve_queue_);
      if (opened) {
        reserve = std::move(*opened);
      } else {
        reserve_failure_ = std::move(opened.error());
      }
      if (is_ending_) break;
    }
    // The reserve is empty only if nothing was on its way there before the look, nor is now, and
    // nobody has asked for another look meanwhile.
    const bool was_quiet = reserve_.unsettled() == 0;
    const auto looks = looks_;
    const auto were_set_aside = set_aside_;
    const bool is_missing =
        !reserve && reserve_failure_ && reserve_failure_->reply_code == kNotFound;
    const bool is_empty = is_missing || (reserve && co_await take_some(*reserve));
    if (is_ending_) break;
    const auto failure = std::exchange(reserve_failure_, std::nullopt);
    if (failure) reserve.reset();
    if (failure && !is_empty) {
      if (failure->reply_code == kLocked) {
        spdlog::debug("{}: another router passes on what waits for partition {}", options_.source,
                      options_.partition);
      } else {
        unread_ = fmt::format("what waits in {} is not read: {}", reserve_queue_, failure->what);
        log_.warn(failure->what, fmt::format("{}: partition {}: {}", options_.source,
                                             options_.partition, *unread_));
        events_.on_change();
      }
      co_await rest();
      continue;
    }
    backoff_.reset();
    if (std::exchange(unread_, std::nullopt)) events_.on_change();
    if (!is_empty || lane_.unsettled() > 0) continue;
    if (was_quiet && reserve_.unsettled() == 0 && set_aside_ == were_set_aside && looks == looks_) {
      is_aside_ = false;
      for (Parcel& parcel : std::exchange(held_, {})) lane_.add(std::move(parcel));
      break;
    }
    // It may be full, and take more only as it is read.
    if (reserve_.unsettled() > 0 && !is_ending_) co_await wake_.wait(kReadAgainFirst);
  }
  events_.on_change();
}

// Waits until the reserve is to be opened again.
Task<void> Passage::rest() {
  const auto until = clock_.steady_now() + backoff_.next();
  while (!is_ending_ && !is_stopping_ && clock_.steady_now() < until) {
    co_await wake_.wait(std::chrono::ceil<milliseconds>(until - clock_.steady_now()));
  }
}

// Takes up to a batch and passes it on. True if no more are left.
Task<bool> Passage::take_some(Reserve& reserve) {
  std::vector<amqp::Delivery> batch;
  bool is_empty = false;
  while (batch.size() < kTakenAtOnceMax && !is_empty) {
    auto next = co_await reserve.next();
    if (is_ending_) co_return false;
    if (!next) {
      // What was taken is put back, and read again in order. 404: somebody has deleted the queue.
      reserve_failure_ = std::move(next.error());
      co_return reserve_failure_->reply_code == kNotFound&& batch.empty();
    }
    if (auto& delivery = *next; delivery) {
      batch.push_back(std::move(*delivery));
    } else {
      is_empty = true;
    }
  }
  for (const amqp::Delivery& delivery : batch) {
    taken_.push_back(delivery.delivery_tag);
    lane_.add(
        {.message = pass_on(delivery, "", options_.user),
         .products = options_.choose(delivery, options_.bytes_max, options_.partitions).products,
         .partition = options_.partition,
         .from = Parcel::From::reserve});
  }
  co_return is_empty;
}

void Passage::stop() {
  is_stopping_ = true;
  wake_.notify();
}

void Passage::abandon() {
  is_ending_ = true;
  wake_.notify();
}

Task<void> Passage::end() {
  co_await lane_.end();
  co_await reserve_.end();
  wake_.notify();
  while (is_draining_) co_await ended_.wait(std::nullopt);
  held_.clear();
  taken_.clear();
  refused_ = 0;
  reserve_failure_.reset();
  unread_.reset();
  is_aside_ = false;
}

bool Passage::is_moving() const {
  return std::ranges::any_of(std::array{&lane_, &reserve_}, [](const Lane* lane) {
    return lane->unsettled() > 0 && !lane->trouble() && !lane->blocked();
  });
}

std::optional<std::string> Passage::trouble() const {
  const auto& trouble = lane_.trouble() ? lane_.trouble() : unread_ ? unread_ : reserve_.trouble();
  if (!trouble) return std::nullopt;
  return fmt::format("partition {}: {}; its requests wait{}", options_.partition, *trouble,
                     is_aside_ ? fmt::format(" in {}", reserve_queue_) : "");
}

}  // namespace inventory::router
