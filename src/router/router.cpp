#include "router/router.h"

#include <algorithm>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/queues.h"
#include "service/answer.h"

namespace inventory::router {
namespace {

using service::Condition;
using service::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace boost::asio::experimental::awaitable_operators;

constexpr milliseconds kReconnectFirst{250};
constexpr milliseconds kReconnectLast{30'000};
constexpr milliseconds kLookEach{200};  // while something is in hand
constexpr seconds kCountEach{10};       // the consumers of the source
constexpr seconds kFinishMax{5};
constexpr std::size_t kTakenMax = 500;  // at a time
constexpr std::size_t kNotedMax = 5;    // partitions in a note
constexpr std::uint16_t kPreconditionFailed = 406;

}  // namespace

Router::Router(const boost::asio::any_io_executor& executor, RouterOptions options,
               service::Broker& broker, Reserves& reserves, service::Clock& clock,
               std::function<void()> on_change)
    : executor_(executor),
      options_(std::move(options)),
      broker_(broker),
      reserves_(reserves),
      clock_(clock),
      on_change_(std::move(on_change)),
      reconnect_backoff_(kReconnectFirst, kReconnectLast, options_.seed),
      pause_(executor, clock),
      reconnects_(clock),
      outlets_(executor),
      letters_(executor,
               {.queue = contract::dead_letter_queue(options_.queue),
                .source = options_.queue,
                .seed = options_.seed},
               outlets_, clock,
               {.on_taken =
                    [this](const Parcel& letter) {
                      ++dead_lettered_;
                      passages_[letter.partition]->buried(letter);
                    },
                .on_refused =
                    [this](Parcel letter, const amqp::Error& why) {
                      on_letter_refused(std::move(letter), why);
                    },
                .on_change = [this] { update_status(); }}),
      next_turn_(options_.seed % options_.partitions),
      look_(executor, clock),
      counted_(executor, clock),
      progress_(executor, clock) {
  for (std::uint32_t partition = 0; partition < options_.partitions; ++partition) {
    passages_.push_back(std::make_unique<Passage>(
        executor,
        PassageOptions{
            .source = options_.queue,
            .partition = partition,
            .partitions = options_.partitions,
            .choose = options_.choose,
            .bytes_max = options_.bytes_max,
            .user = options_.user,
            .share = std::max<std::size_t>(1, options_.prefetch / 2 / options_.partitions),
            .most = std::max<std::size_t>(1, options_.prefetch / 2),
            .seed = options_.seed + partition},
        outlets_, reserves_, clock,
        Passage::Events{
            .on_passed = [this](std::uint64_t delivery_tag) { on_passed(delivery_tag); },
            .on_refused = [this](Parcel parcel,
                                 const amqp::Error& why) { on_refused(std::move(parcel), why); },
            .on_change = [this] { update_status(); }}));
  }
}

Task<void> Router::run() {
  while (!pause_.is_stopping()) {
    Status why = co_await run_once();
    if (pause_.is_stopping()) break;
    const milliseconds pause = reconnect_backoff_.next();
    reconnects_.warn(
        to_string(why.condition),
        fmt::format("{}: {}; trying again in {} ms", options_.queue, why.reason, pause.count()));
    set_session(std::move(why));
    co_await pause_.wait(pause);
  }
  set_session({Condition::stopped, "stopped"});
}

void Router::stop() {
  pause_.stop();
  if (link_) link_->stop_receiving();
  for (const auto& passage : passages_) passage->stop();
  progress_.notify();
  update_status();
}

// One session: opens, passes on until something ends it, closes. Returns why it ended.
Task<Status> Router::run_once() {
  if (auto failure = co_await open()) co_return std::move(*failure);
  spdlog::info("{}: passing requests to {} partitions", options_.queue, options_.partitions);
  reconnects_.reset();
  set_session({Condition::consuming, ""});
  const auto since = clock_.steady_now();
  for (const auto& passage : passages_) passage->begin();
  look_aside();
  Status why{Condition::broker_unavailable, ""};
  is_tending_ = true;
  must_look_ = true;
  consumers_ = 0;
  next_count_ = {};
  co_await (take(why) && tend());
  outlets_.end();
  for (const auto& passage : passages_) passage->abandon();
  reserves_.drop();
  for (const auto& passage : passages_) co_await passage->end();
  while (is_counting_) co_await counted_.wait(std::nullopt);
  co_await letters_.end();
  co_await link_->close();
  link_.reset();
  acknowledger_.reset();
  if (clock_.steady_now() - since > kReconnectLast) reconnect_backoff_.reset();
  co_return why;
}

// Returns why there is no link.
Task<std::optional<Status>> Router::open() {
  const auto not_ready = [](const amqp::Error& error) {
    return Status{Condition::broker_unavailable,
                  fmt::format("the broker is not ready: {}", error.what)};
  };
  auto link = co_await broker_.open();
  if (!link) co_return not_ready(link.error());
  link_ = std::move(*link);
  if (pause_.is_stopping()) link_->stop_receiving();
  if (auto receiving = co_await link_->start_receiving(); !receiving) {
    link_.reset();
    co_return not_ready(receiving.error());
  }
  outlets_.begin(*link_);
  co_return std::nullopt;
}

Task<void> Router::take(Status& why) {
  for (;;) {
    auto deliveries = co_await link_->receive(kTakenMax);
    if (!deliveries) {
      const bool is_stopping = deliveries.error().fault == amqp::Fault::stopping;
      why = {is_stopping ? Condition::stopping : Condition::broker_unavailable,
             fmt::format("no more requests from the broker: {}", deliveries.error().what)};
      if (is_stopping) co_await finish();
      break;
    }
    if (std::exchange(must_look_, false)) look_aside();
    for (amqp::Delivery& delivery : *deliveries) pass(std::move(delivery));
    look_.notify();
  }
  is_tending_ = false;
  look_.notify();
}

// What is not taken in time goes back to the source.
Task<void> Router::finish() {
  const auto deadline = clock_.steady_now() + kFinishMax;
  const auto is_moving = [this] {
    return std::ranges::any_of(passages_, [](const auto& passage) { return passage->is_moving(); });
  };
  while (is_moving() && clock_.steady_now() < deadline) co_await progress_.wait(kLookEach);
  acknowledge();
}

Task<void> Router::tend() {
  while (is_tending_) {
    letters_.look();
    bool is_busy = letters_.unsettled() > 0;
    for (const auto& passage : passages_) {
      if (!passage->is_busy()) continue;
      passage->look();
      is_busy = true;
    }
    update_status();
    const auto now = clock_.steady_now();
    if (!is_counting_ && now >= next_count_) count_consumers();
    auto next = is_busy ? std::optional(kLookEach) : std::nullopt;
    if (!is_busy && !is_counting_) next = std::chrono::ceil<milliseconds>(next_count_ - now);
    co_await look_.wait(next);
  }
}

void Router::count_consumers() {
  is_counting_ = true;
  boost::asio::co_spawn(executor_, count(), [this](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);  // a bug
    is_counting_ = false;
    next_count_ = clock_.steady_now() + kCountEach;
    look_.notify();
    counted_.notify();
  });
}

Task<void> Router::count() {
  const auto consumers = co_await reserves_.consumers(options_.queue);
  if (!consumers || !is_tending_) co_return;
  if (consumers_ == 0 && *consumers == 1) must_look_ = false;  // nobody else can be active
  if (*consumers < consumers_) look_aside();
  consumers_ = *consumers;
}

void Router::look_aside() {
  for (const auto& passage : passages_) passage->look_aside();
}

void Router::pass(amqp::Delivery delivery) {
  acknowledger_.received(delivery.delivery_tag);
  Route route = options_.choose(delivery, options_.bytes_max, options_.partitions);
  if (!route.partition) {
    route.partition = next_turn_;
    next_turn_ = (next_turn_ + 1) % options_.partitions;
  }
  passages_[*route.partition]->add({.message = pass_on(delivery, "", options_.user),
                                    .products = std::move(route.products),
                                    .partition = *route.partition,
                                    .delivery_tag = delivery.delivery_tag});
}

void Router::on_passed(std::uint64_t delivery_tag) {
  acknowledger_.settled(delivery_tag);
  progress_.notify();
  if (std::exchange(is_to_acknowledge_, true)) return;
  // One acknowledgement for all that the broker confirms in one turn.
  boost::asio::post(executor_, [this] {
    is_to_acknowledge_ = false;
    acknowledge();
  });
}

void Router::acknowledge() {
  if (!link_) return;
  const auto due = acknowledger_.take();
  if (due.up_to) link_->acknowledge_up_to(*due.up_to);
  for (const std::uint64_t delivery_tag : due.alone) link_->acknowledge(delivery_tag);
}

// No queue takes it, so the operator must see it.
void Router::on_refused(Parcel parcel, const amqp::Error& why) {
  spdlog::error("{}: the broker refuses a request for partition {}, which is dead-lettered: {}",
                options_.queue, parcel.partition, why.what);
  const amqp::Delivery request{.properties = std::move(parcel.message.properties),
                               .body = std::move(parcel.message.body)};
  parcel.message =
      service::make_dead_letter(request, options_.queue, "refused", why.what, clock_.now()).message;
  if (why.reply_code == kPreconditionFailed) service::drop_body(parcel.message);
  letters_.add(std::move(parcel));
}

void Router::on_letter_refused(Parcel letter, const amqp::Error& why) {
  if (!service::drop_foreign_headers(letter.message)) service::drop_body(letter.message);
  spdlog::error("{}: the broker refuses a dead letter, which is made smaller: {}", options_.queue,
                why.what);
  letters_.add(std::move(letter));
}

void Router::set_session(Status session) {
  session_ = std::move(session);
  update_status();
}

std::string Router::note() const {
  std::string note;
  std::size_t count = 0;
  for (const auto& passage : passages_) {
    const auto trouble = passage->trouble();
    if (!trouble || ++count > kNotedMax) continue;
    note += (note.empty() ? "" : "; ") + *trouble;
  }
  if (count > kNotedMax) note += fmt::format("; and {} more", count - kNotedMax);
  return note;
}

void Router::update_status() {
  Status status = session_;
  if (pause_.is_stopping() && session_.condition != Condition::stopped) {
    status = {Condition::stopping, "stopping: finishing what is in hand"};
  } else if (session_.condition == Condition::consuming) {
    const auto blocked =
        std::ranges::find_if(passages_, [](const auto& passage) { return !!passage->blocked(); });
    if (blocked != passages_.end()) {
      status = {Condition::blocked, fmt::format("the broker takes no messages: {}",
                                                (*blocked)->blocked().value_or(""))};
    } else if (const auto& trouble = letters_.trouble()) {
      status = {Condition::rejected, *trouble};
    }
  }
  std::string note = this->note();
  if (status_ == status && told_note_ == note) return;
  status_ = std::move(status);
  told_note_ = std::move(note);
  on_change_();
}

}  // namespace inventory::router
