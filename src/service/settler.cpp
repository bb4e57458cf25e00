#include "service/settler.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/order_message.h"
#include "service/backoff.h"

namespace inventory::service {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRejectedFirst{100};
constexpr milliseconds kRejectedLast{2'000};
constexpr int kPublishTries = 10;       // of a reply that a client's own queue rejects
constexpr int kPublishTriesToFull = 5;  // where all were in vain before, or when stopping

// How often in a row the broker may close the connection on an answer that was published alone. A
// direct reply-to address holds what the broker reads; the name of a queue does not, and what
// closed the connection may have been something else.
constexpr int kSuspicionsOfAQueue = 5;
constexpr std::size_t kSuspectsMax = 1000;
constexpr std::uint16_t kPreconditionFailed = 406;

// Whether the broker has closed channel or connection because of what a message holds (AMQP 0-9-1,
// 1.2). RabbitMQ 3.10 answers a reply to some malformed direct reply-to addresses with 541.
bool blames_a_message(const amqp::Error& error) {
  constexpr std::array<std::uint16_t, 6> kCodes{kPreconditionFailed, 501, 502, 503, 505, 541};
  return std::ranges::find(kCodes, error.reply_code) != kCodes.end();
}

// An answer and its queue. That to a request is the same each time, byte for byte. No queue's name
// is as long.
std::string fingerprint(const amqp::Message& message) {
  return fmt::format("{:256} {:x}", message.routing_key, std::hash<std::string>()(message.body));
}

// One answer is known by what it holds, and the broker says that it is too large.
int convicting_count(const std::string& what) {
  const bool is_queue = what.size() <= 255 && !is_direct_reply(what);
  return is_queue ? kSuspicionsOfAQueue : 1;
}

}  // namespace

Task<std::optional<std::string>> Settler::settle(Link& link, std::vector<Outgoing> outgoing) {
  auto failure = co_await publish_until_settled(link, std::move(outgoing));
  set_rejection({});
  rejections_.reset();
  co_return failure;
}

Task<std::optional<std::string>> Settler::publish_until_settled(Link& link,
                                                                std::vector<Outgoing> outgoing) {
  std::size_t given_up = give_up_harmful(outgoing);
  Backoff backoff(kRejectedFirst, kRejectedLast, options_.seed);
  for (int attempt = 1; !outgoing.empty(); ++attempt) {
    std::vector<amqp::Message> messages;
    messages.reserve(outgoing.size());
    std::ranges::transform(outgoing, std::back_inserter(messages),
                           [](Outgoing& one) { return std::move(one.message); });
    auto settlements = co_await publish(link, messages);
    if (!settlements) {
      co_return fmt::format("answers were not confirmed: {}", settlements.error().what);
    }
    auto again = to_publish_again(std::move(outgoing), std::move(messages), *settlements, attempt);
    if (!again) {
      co_return std::move(again.error());
    }
    outgoing = std::move(again->outgoing);
    given_up += again->given_up;
    if (!again->is_rejected) {
      continue;
    }
    const std::string& queue = outgoing.front().message.routing_key;
    if (pause_.is_stopping() && attempt >= kPublishTriesToFull) {
      co_return fmt::format("stopping while queue {} rejects messages", queue);
    }
    const milliseconds pause = backoff.next();
    rejections_.warn(
        queue, fmt::format("{}: the broker rejected {} answers, the first for queue {}; make room "
                           "there; again in {} ms",
                           options_.queue, outgoing.size(), queue, pause.count()));
    set_rejection(fmt::format("queue {} rejects messages", queue));
    co_await pause_.wait(pause);
  }
  if (given_up > 0) {  // counted here, since on another link all of it is given up again
    observer_.published({.given_up = given_up});
  }
  co_return std::nullopt;
}

std::expected<Settler::Again, std::string> Settler::to_publish_again(
    std::vector<Outgoing> outgoing, std::vector<amqp::Message> messages,
    std::span<const amqp::Settlement> settlements, int attempt) {
  Again again;
  Published published;
  std::set<std::string> given_up;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool must_arrive = outgoing[i].must_arrive;
    const std::string& queue = messages[i].routing_key;
    switch (settlements[i]) {
      case amqp::Settlement::confirmed:
        ++published.confirmed;
        full_.erase(queue);
        suspects_.erase(queue);
        break;
      case amqp::Settlement::returned:
        if (must_arrive) {
          return std::unexpected(fmt::format("queue {} is gone", queue));
        }
        ++published.returned;
        if (spdlog::should_log(spdlog::level::debug)) {
          log::write(spdlog::level::debug, fields(messages[i]), "{}: reply queue {} is gone",
                     options_.queue, queue);
        }
        break;
      case amqp::Settlement::too_large:
        if (!drop_foreign_headers(messages[i])) {
          return std::unexpected(
              fmt::format("a message for queue {} does not fit in a frame", queue));
        }
        spdlog::warn("{}: a dead letter leaves out its headers, which do not fit in a frame",
                     options_.queue);
        again.outgoing.push_back({std::move(messages[i]), must_arrive});
        break;
      case amqp::Settlement::rejected:
        if (must_arrive || !is_given_up(queue, attempt)) {
          ++published.rejected;
          again.outgoing.push_back({std::move(messages[i]), must_arrive});
          again.is_rejected = true;
        } else {
          log::write(spdlog::level::err, fields(messages[i]),
                     "{}: reply queue {} keeps rejecting: a reply is given up", options_.queue,
                     queue);
          ++again.given_up;
          given_up.insert(queue);
        }
        break;
    }
  }
  observer_.published(published);
  if (full_.size() + given_up.size() > kSuspectsMax) {
    full_.clear();
  }
  full_.merge(given_up);
  return again;
}

// Publishes all at once; or one by one, after the broker has closed the connection because of one
// of them, to find which. One client's malformed address must not stop everybody's answers.
Task<amqp::Result<std::vector<amqp::Settlement>>> Settler::publish(
    Link& link, std::span<const amqp::Message> messages) {
  if (!one_by_one_) {
    auto settlements = co_await link.publish(messages);
    one_by_one_ = !settlements && blames_a_message(settlements.error());
    co_return settlements;
  }
  std::vector<amqp::Settlement> settlements;
  for (const amqp::Message& message : messages) {
    auto settled = co_await link.publish(std::span(&message, 1));
    if (!settled) {
      if (blames_a_message(settled.error())) {
        log::write(spdlog::level::err, fields(message),
                   "{}: the broker closes the connection on an answer to {}: {}", options_.queue,
                   message.routing_key, settled.error().what);
        // 406: larger than the broker's max_message_size. That is not the address's fault.
        suspect(settled.error().reply_code == kPreconditionFailed ? fingerprint(message)
                                                                  : message.routing_key);
        has_learnt_ = true;
      }
      co_return std::unexpected(std::move(settled.error()));
    }
    if (settled->front() == amqp::Settlement::confirmed) {
      suspects_.erase(message.routing_key);  // at once: a later message may end the link
    }
    settlements.push_back(settled->front());
  }
  one_by_one_ = false;
  co_return settlements;
}

// What a log record about an answer says of its request.
log::Fields Settler::fields(const amqp::Message& message) const {
  log::Fields fields;
  if (const auto order = contract::order_of_reply(message.body)) {
    fields.order_id = order->id.display();
    fields.product_id = order->product;
  }
  fields.queue = options_.queue;
  fields.trace_id = trace_id(message.properties);
  return fields;
}

// What the broker has closed the connection on: replies are left out, dead letters lose their body.
// Returns how many replies.
std::size_t Settler::give_up_harmful(std::vector<Outgoing>& outgoing) {
  if (suspects_.empty()) {
    return 0;
  }
  for (Outgoing& one : outgoing) {
    if (one.message.keeps_properties && is_convicted(fingerprint(one.message))) {
      log::write(spdlog::level::err, fields(one.message),
                 "{}: a dead letter leaves out its body of {} bytes, which is larger than the "
                 "broker takes",
                 options_.queue, one.message.body.size());
      drop_body(one.message);
    }
  }
  const auto is_harmful = [this](const Outgoing& one) {
    return !one.message.keeps_properties &&
           ((!one.must_arrive && is_convicted(one.message.routing_key)) ||
            is_convicted(fingerprint(one.message)));
  };
  for (const Outgoing& one : outgoing) {
    if (is_harmful(one)) {
      log::write(spdlog::level::err, fields(one.message),
                 "{}: the broker has closed the connection on an answer to {}: a reply is given up",
                 options_.queue, one.message.routing_key);
    }
  }
  return std::erase_if(outgoing, is_harmful);
}

bool Settler::is_convicted(const std::string& what) const {
  const auto suspect = suspects_.find(what);
  return suspect != suspects_.end() && suspect->second >= convicting_count(what);
}

bool Settler::is_given_up(const std::string& queue, int attempt) const {
  return attempt >= (full_.contains(queue) ? kPublishTriesToFull : kPublishTries);
}

void Settler::suspect(const std::string& what) {
  if (suspects_.size() >= kSuspectsMax) {
    suspects_.clear();
  }
  ++suspects_[what];
}

void Settler::set_rejection(std::optional<std::string> rejection) {
  if (rejection_ != rejection) {
    rejection_ = std::move(rejection);
    on_change_();
  }
}

}  // namespace inventory::service
