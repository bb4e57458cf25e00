#pragma once

// Handler: one kind of request, from deliveries to answers: parse, decide and commit, reply.
//
// A kind of request is a type with a parser, a decision and a reply (see orders.h, items.h);
// BatchHandler makes a Handler of it. A new kind of request is a new such type, nothing else.
//
// Invariants:
//   1. One answer a delivery, in their order.
//   2. A request that the store refuses does not fail the others: it is found by halving, answered
//      as invalid and dead-lettered.
//   3. With an error nothing may be answered; the same deliveries may be passed again.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "amqp/message.h"
#include "contract/request_error.h"
#include "log/fields.h"
#include "log/limit.h"
#include "service/answer.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/observer.h"
#include "store/store.h"

namespace inventory::service {

class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  // The deliveries outlive the call.
  virtual Task<store::Result<std::vector<Answer>>> answer(
      std::span<const amqp::Delivery> deliveries) = 0;
};

struct HandlerOptions {
  std::string queue;               // where the requests come from
  ReplyQueue reply_queue;          // where replies go whose request names no reply_to
  std::size_t bytes_max = 65'536;  // of a request's body
};

template <class Kind>
class BatchHandler : public Handler {
 public:
  // Store, clock and observer outlive the handler.
  BatchHandler(HandlerOptions options, store::Store& store, const Clock& clock,
               Observer& observer = Observer::none())
      : options_(std::move(options)), store_(store), clock_(clock), observer_(observer) {}

  Task<store::Result<std::vector<Answer>>> answer(
      std::span<const amqp::Delivery> deliveries) override {
    std::vector<typename Kind::Message> messages;
    std::vector<typename Kind::Request> requests;
    messages.reserve(deliveries.size());
    requests.reserve(deliveries.size());
    for (const amqp::Delivery& delivery : deliveries) {
      messages.push_back(Kind::read(delivery, options_.bytes_max));
      if (Kind::error(messages.back()) == nullptr) {
        requests.push_back(Kind::request(messages.back(), delivery, clock_.now()));
      }
    }
    std::vector<Verdict> verdicts;
    verdicts.reserve(requests.size());
    if (auto decided = co_await decide(requests, verdicts); !decided) {
      co_return std::unexpected(std::move(decided.error()));
    }
    std::vector<Answer> answers;
    answers.reserve(deliveries.size());
    auto verdict = verdicts.begin();
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
      const auto* error = Kind::error(messages[i]);
      answers.push_back(error != nullptr ? invalid_answer(deliveries[i], messages[i], *error)
                                         : decided_answer(deliveries[i], messages[i], *verdict++));
    }
    co_return answers;
  }

 private:
  // What a valid request gets: its decision, or why the store refuses it.
  using Verdict = std::expected<typename Kind::Decision, store::Error>;

  // Decides the requests in their order. Parts of a batch are committed before others where it has
  // to be halved; if a later part fails, the ledger replays them when the batch comes again.
  Task<store::Result<void>> decide(std::span<const typename Kind::Request> requests,
                                   std::vector<Verdict>& verdicts) {
    if (requests.empty()) {
      co_return store::Result<void>();
    }
    const auto since = clock_.steady_now();
    auto decisions = co_await Kind::decide(store_, requests);
    std::optional<store::Fault> fault;
    if (!decisions) {
      fault = decisions.error().fault;
    }
    observer_.transaction(clock_.steady_now() - since, fault);
    if (decisions) {
      for (auto& decision : *decisions) {
        verdicts.emplace_back(std::move(decision));
      }
      co_return store::Result<void>();
    }
    if (decisions.error().fault != store::Fault::refused) {
      co_return std::unexpected(std::move(decisions.error()));
    }
    if (requests.size() == 1) {
      verdicts.emplace_back(std::unexpected(std::move(decisions.error())));
      co_return store::Result<void>();
    }
    const std::size_t half = requests.size() / 2;
    auto first = co_await decide(requests.first(half), verdicts);
    if (!first) {
      co_return first;
    }
    co_return co_await decide(requests.subspan(half), verdicts);
  }

  Answer decided_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const Verdict& verdict) {
    if (!verdict) {
      log::write(spdlog::level::err, fields(delivery, message),
                 "{}: the database refuses a request, which is dead-lettered: {}", options_.queue,
                 verdict.error().what);
      return invalid(delivery, message, "invalid", "the database refuses it", Outcome::refused);
    }
    const Outcome outcome = Kind::outcome(*verdict);
    if (spdlog::should_log(spdlog::level::debug)) {
      log::write(spdlog::level::debug, fields(delivery, message), "{}: {}{}", options_.queue,
                 verdict->replayed ? "decided before: " : "", to_string(outcome));
    }
    return {make_reply(delivery, Kind::reply(message, *verdict), verdict->replayed,
                       options_.reply_queue),
            std::nullopt, outcome, verdict->replayed};
  }

  Answer invalid_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const contract::RequestError& error) {
    const bool too_large = error.reason == contract::RequestError::Reason::too_large;
    const auto* reason = too_large ? "too-large" : "invalid";
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(delivery, message),
                 "{}: a request is {} and dead-lettered: {}{}", options_.queue, reason, error.what,
                 *left_out > 0 ? fmt::format("; {} like it were not logged", *left_out) : "");
    }
    return invalid(delivery, message, reason, error.what,
                   too_large ? Outcome::too_large : Outcome::invalid);
  }

  Answer invalid(const amqp::Delivery& delivery, const typename Kind::Message& message,
                 std::string_view reason, std::string_view what, Outcome outcome) const {
    return {make_reply(delivery, Kind::invalid_reply(message, what), false, options_.reply_queue),
            make_dead_letter(delivery, options_.queue, reason, what, clock_.now()), outcome};
  }

  // What a log record about a request says of it.
  log::Fields fields(const amqp::Delivery& delivery, const typename Kind::Message& message) const {
    log::Fields fields = Kind::fields(message);
    fields.queue = options_.queue;
    fields.trace_id = trace_id(delivery.properties);
    return fields;
  }

  HandlerOptions options_;
  store::Store& store_;
  const Clock& clock_;
  Observer& observer_;
  log::Limit log_limit_{10, std::chrono::seconds(10)};  // clients decide how many are invalid
};

}  // namespace inventory::service
