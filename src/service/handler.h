#pragma once

// Handler: one kind of request, from deliveries to answers: parse, decide and commit, reply.
//
// A kind of request is a type with a parser and a reply for a command of the domain (see orders.h,
// items.h); BatchHandler makes a Handler of it, kinds.h gives it a queue.
//
// Invariants:
//   1. Each delivery gets one answer, once; what cannot be decided now is kept until it can
//      (batch_decider.h).
//   2. What is not valid, or what the database refuses for good, is answered as invalid and
//      dead-lettered.
//
// Threads: one executor. answer() and try_again() may run at the same time, each once.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "amqp/message.h"
#include "contract/event.h"
#include "contract/headers.h"
#include "contract/partition_text.h"
#include "contract/request_error.h"
#include "domain/command.h"
#include "domain/partition.h"
#include "log/fields.h"
#include "log/limit.h"
#include "service/answer.h"
#include "service/batch_decider.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/observer.h"
#include "store/store.h"

namespace inventory::service {

// What became of deliveries so far. If the database as a whole does not work, `outage` says why,
// and those without an answer wait.
struct Answered {
  std::vector<Answer> answers;  // in the order of arrival
  std::optional<store::Error> outage;
};

class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  // Decides the deliveries, and those of earlier calls that an outage left undecided.
  virtual Task<Answered> answer(std::vector<amqp::Delivery> deliveries) = 0;

  // Tries those that were put aside and are due, in a transaction of their own beside that of
  // answer(): however long it takes, no other request waits for it. May be cancelled if the link is
  // given up.
  virtual Task<std::vector<Answer>> try_again() = 0;

  // How many wait, because of an outage or because they were put aside.
  virtual std::size_t undecided() const = 0;

  // Whether the limit of requests put aside is reached: until some are decided, pass few more.
  virtual bool is_full() const = 0;

  // When try_again() has something to do; empty if nothing was put aside, or during an outage.
  virtual std::optional<std::chrono::steady_clock::time_point> next_try() const = 0;

  // Why the whole database may be failing: requests are put aside, and for ten seconds none was
  // decided, since the first of them failed or while it is full. Else empty.
  virtual std::optional<std::string> suspicion() const = 0;

  // The link is lost: forgets what waits, which will be redelivered.
  virtual void forget() = 0;
};

struct HandlerOptions {
  std::string queue;               // where the requests come from
  ReplyQueue reply_queue;          // for requests without reply_to
  std::size_t bytes_max = 65'536;  // of a request's body
  std::size_t aside_max = 1'000;   // put aside, or waiting behind those: then it is full
  std::shared_ptr<Pulse> pulse = std::make_shared<Pulse>();  // of the store: shared by its handlers
  std::optional<domain::Telling> events = std::nullopt;      // empty: no events
  // Requests about products of other partitions are invalid; empty: the stock is not partitioned.
  std::optional<domain::Partition> partition = std::nullopt;
};

template <class Kind>
class BatchHandler : public Handler {
 public:
  // Store, clock and observer outlive the handler.
  BatchHandler(HandlerOptions options, store::Store& store, const Clock& clock,
               Observer& observer = Observer::none())
      : options_(std::move(options)),
        clock_(clock),
        observer_(observer),
        decider_(options_.aside_max, options_.events.has_value(), options_.pulse, store, clock,
                 observer) {}

  Task<Answered> answer(std::vector<amqp::Delivery> deliveries) override {
    Answered answered;
    answered.answers.reserve(deliveries.size());
    std::vector<typename Kind::Message> messages;
    std::vector<domain::Command> requests;
    std::vector<std::size_t> places;  // of the requests
    messages.reserve(deliveries.size());
    requests.reserve(deliveries.size());
    places.reserve(deliveries.size());
    for (const amqp::Delivery& delivery : deliveries) {
      messages.push_back(Kind::read(delivery, options_.bytes_max));
      if (const auto error = error_of(delivery, messages.back())) {
        answered.answers.push_back(invalid_answer(delivery, messages.back(), *error));
      } else {
        auto request = Kind::command(messages.back(), delivery, clock_.now());
        if (const auto elsewhere = why_elsewhere(request); !elsewhere.empty()) {
          answered.answers.push_back(invalid_answer(
              delivery, messages.back(), {contract::RequestError::Reason::invalid, elsewhere}));
          continue;
        }
        places.push_back(messages.size() - 1);
        requests.push_back(std::move(request));
      }
    }
    std::optional<store::Error> failed;
    bool is_decided = requests.empty();
    if (!is_decided && decider_.size() == 0) {
      std::vector<domain::StockNews> news;
      auto decisions = co_await decider_.decide_whole(requests, news);
      is_decided = decisions.has_value();
      const std::size_t first = answered.answers.size();
      for (std::size_t i = 0; is_decided && i < places.size(); ++i) {
        answered.answers.push_back(
            decided_answer(deliveries[places[i]], messages[places[i]], (*decisions)[i]));
      }
      if (is_decided) {
        for (const auto& one : news) tell(one, answered.answers[first + one.command]);
      }
      if (!is_decided) failed = std::move(decisions.error());
    }
    BatchDecider::Ids kept;
    for (std::size_t i = 0; !is_decided && i < places.size(); ++i) {
      kept.push_back(decider_.keep(std::move(requests[i])));
      kept_.try_emplace(kept.back(), std::move(deliveries[places[i]]), options_.bytes_max);
    }
    BatchDecider::Events events;
    if (decider_.size() > 0) {
      answered.outage = co_await decider_.work_off(std::move(failed), kept, events);
    }
    take(std::move(events), answered.answers);
    co_return answered;
  }

  Task<std::vector<Answer>> try_again() override {
    std::vector<Answer> answers;
    BatchDecider::Events events;
    co_await decider_.try_again(events);
    take(std::move(events), answers);
    co_return answers;
  }

  std::size_t undecided() const override { return decider_.size(); }
  bool is_full() const override { return decider_.is_full(); }
  std::optional<std::chrono::steady_clock::time_point> next_try() const override {
    return decider_.next_try();
  }
  std::optional<std::string> suspicion() const override { return decider_.suspicion(); }

  void forget() override {
    decider_.forget();
    kept_.clear();
  }

 private:
  // A request that waits. Its message points into its delivery.
  struct Kept {
    Kept(amqp::Delivery of, std::size_t bytes_max)
        : delivery(std::move(of)), message(Kind::read(delivery, bytes_max)) {}
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    amqp::Delivery delivery;
    typename Kind::Message message;
  };

  static std::optional<contract::RequestError> error_of(const amqp::Delivery& delivery,
                                                        const typename Kind::Message& message) {
    if (delivery.undecodable) {
      return contract::RequestError{contract::RequestError::Reason::invalid,
                                    "the message cannot be decoded: " + *delivery.undecodable};
    }
    if (const auto& headers = delivery.properties.headers) {
      if (const auto why = headers->find_string(contract::headers::kUndecodable)) {
        return contract::RequestError{contract::RequestError::Reason::invalid,
                                      "the message cannot be decoded: " + why_text(*why)};
      }
    }
    const auto* error = Kind::error(message);
    return error == nullptr ? std::nullopt : std::optional(*error);
  }

  // Why the request is for another partition; empty if it is not.
  std::string why_elsewhere(const domain::Command& request) const {
    if (!options_.partition) return "";
    return contract::why_not_in(*options_.partition, domain::products_of(request));
  }

  // Checks the text: anybody can set that header, and the text goes into a reply.
  static std::string why_text(std::string_view why) {
    constexpr std::size_t kBytesMax = 1024;
    const auto is_printable = [](char one) { return one >= ' ' && one <= '~'; };
    if (why.size() > kBytesMax || !std::ranges::all_of(why, is_printable)) return "unknown";
    return std::string(why);
  }

  // Answers what was decided or refused, and puts all answers in the order of arrival.
  void take(BatchDecider::Events events, std::vector<Answer>& answers) {
    for (BatchDecider::Event& event : events) {
      const auto kept = kept_.find(event.id);
      if (const auto* put_aside = std::get_if<BatchDecider::PutAside>(&event.what)) {
        tell_of_waiting(kept->second, put_aside->why);
        continue;
      }
      if (const auto* refused = std::get_if<BatchDecider::Refused>(&event.what)) {
        answers.push_back(refused_answer(kept->second, *refused));
      } else {
        answers.push_back(decided_answer(kept->second.delivery, kept->second.message,
                                         std::get<domain::Decision>(event.what)));
        for (const auto& one : event.news) tell(one, answers.back());
      }
      kept_.erase(kept);
    }
    if (!std::ranges::is_sorted(answers, {}, &Answer::delivery_tag)) {
      std::ranges::sort(answers, {}, &Answer::delivery_tag);
    }
    observer_.put_aside(decider_.put_aside());
  }

  void tell_of_waiting(const Kept& kept, const std::string& why) {
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(kept.delivery, kept.message),
                 "{}: a request waits, others go on: {}{}", options_.queue, why,
                 left_out_text(*left_out));
    }
  }

  Answer refused_answer(const Kept& kept, const BatchDecider::Refused& refused) {
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::err, fields(kept.delivery, kept.message),
                 "{}: the database refuses a request, which is dead-lettered: {}{}", options_.queue,
                 refused.why, left_out_text(*left_out));
    }
    return invalid(kept.delivery, kept.message, refused.reason, "the database refuses it",
                   Outcome::refused);
  }

  Answer decided_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const domain::Decision& decision) {
    const Outcome outcome = domain::outcome_of(decision);
    const bool is_replayed = domain::is_replayed(decision);
    if constexpr (requires { &Kind::why_invalid; }) {
      // Invalid only with the current stock: nothing was stored.
      if (outcome == Outcome::invalid) {
        return invalid(delivery, message, "invalid", Kind::why_invalid(message, decision), outcome);
      }
    }
    if (domain::may_be_another_line(decision)) tell_of_another_line(delivery, message);
    if (spdlog::should_log(spdlog::level::debug)) {
      log::write(spdlog::level::debug, fields(delivery, message), "{}: {}{}", options_.queue,
                 is_replayed ? "decided before: " : "", domain::row_of(outcome).text);
    }
    Answer answer{.delivery_tag = delivery.delivery_tag,
                  .received_at = delivery.received_at,
                  .reply = decided_reply(delivery, message, decision),
                  .dead_letter = std::nullopt,
                  .outcome = outcome,
                  .replayed = is_replayed};
    if constexpr (requires { &Kind::event; }) {
      auto event = options_.events ? Kind::event(message, decision, clock_.now()) : std::nullopt;
      if (event) answer.events.push_back(*std::move(event));
    }
    return answer;
  }

  void tell(const domain::StockNews& news, Answer& answer) const {
    if (!options_.events || !domain::is_told(news, *options_.events)) return;
    answer.events.push_back(contract::stock_event(news.product, news.after, clock_.now()));
  }

  // Two lines of one order for one product, without line_id, look like one repeated request.
  void tell_of_another_line(const amqp::Delivery& delivery, const typename Kind::Message& message) {
    observer_.repeated_with_another_message_id();
    if (const auto left_out = line_log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(delivery, message),
                 "{}: an order without line_id is repeated in a message with another message_id: "
                 "if it is a second line for the same product it needs a line_id, for it was "
                 "answered as the first and took no stock{}",
                 options_.queue, left_out_text(*left_out));
    }
  }

  Answer invalid_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const contract::RequestError& error) {
    const bool too_large = error.reason == contract::RequestError::Reason::too_large;
    const auto* reason = too_large ? "too-large" : "invalid";
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(delivery, message),
                 "{}: a request is {} and dead-lettered: {}{}", options_.queue, reason, error.what,
                 left_out_text(*left_out));
    }
    return invalid(delivery, message, reason, error.what,
                   too_large ? Outcome::too_large : Outcome::invalid);
  }

  static std::string left_out_text(std::size_t left_out) {
    return left_out > 0 ? fmt::format("; {} like it were not logged", left_out) : "";
  }

  Answer invalid(const amqp::Delivery& delivery, const typename Kind::Message& message,
                 std::string_view reason, std::string_view what, Outcome outcome) const {
    return {.delivery_tag = delivery.delivery_tag,
            .received_at = delivery.received_at,
            .reply = invalid_reply(delivery, message, what),
            .dead_letter = make_dead_letter(delivery, options_.queue, reason, what, clock_.now()),
            .outcome = outcome};
  }

  // Some kinds get no reply: they are the service's own requests.
  static constexpr bool kIsAnswered = requires { &Kind::reply; };

  std::optional<Outgoing> decided_reply(const amqp::Delivery& delivery,
                                        const typename Kind::Message& message,
                                        const domain::Decision& decision) const {
    if constexpr (kIsAnswered) {
      return make_reply(delivery, Kind::reply(message, decision), domain::is_replayed(decision),
                        options_.reply_queue);
    } else {
      return std::nullopt;
    }
  }
  std::optional<Outgoing> invalid_reply(const amqp::Delivery& delivery,
                                        const typename Kind::Message& message,
                                        std::string_view what) const {
    if constexpr (kIsAnswered) {
      return make_reply(delivery, Kind::invalid_reply(message, what), false, options_.reply_queue);
    } else {
      return std::nullopt;
    }
  }

  // The fields of a log record about a request.
  log::Fields fields(const amqp::Delivery& delivery, const typename Kind::Message& message) const {
    log::Fields fields = Kind::fields(message);
    fields.queue = options_.queue;
    fields.trace_id = trace_id(delivery.properties);
    return fields;
  }

  HandlerOptions options_;
  const Clock& clock_;
  Observer& observer_;
  BatchDecider decider_;
  std::map<BatchDecider::Id, Kept> kept_;               // those of the decider
  log::Limit log_limit_{10, std::chrono::seconds(10)};  // clients decide how many are invalid
  log::Limit line_log_limit_{1, std::chrono::seconds(60)};
};

}  // namespace inventory::service
