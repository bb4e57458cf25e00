#pragma once

// Settler: publishes what a batch causes until all of it is settled: confirmed by the broker, or
// undeliverable through the client's own doing.
//
//   confirmed  settled
//   returned   a client's queue: settled, the client is gone. One of ours: the link is of no use
//   too large  a dead letter: published again without the headers that it came with
//   rejected   published again: to one of ours until it takes it; to a client's queue ten times,
//              some seconds, since a quorum queue also rejects while it has no leader; five times
//              where that was in vain before
//   the broker closes the connection on a message: published one by one on the next link to find
//              it. A direct reply-to address is given up then, a client's queue after five times in
//              a row. Where the broker says 406 (too large for it), that reply is given up, or the
//              dead letter loses its body
//
// It lives longer than a link: what it has learnt about addresses counts on the next one.
// Threads: one executor. Pause, clock and observer outlive it.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "amqp/error.h"
#include "amqp/message.h"
#include "log/fields.h"
#include "service/answer.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/observer.h"
#include "service/pause.h"

namespace inventory::service {

struct SettlerOptions {
  std::string queue;       // of the requests, for logs
  std::uint32_t seed = 0;  // of the jitter
};

class Settler {
 public:
  // `on_change` is called whenever what rejection() says has changed.
  Settler(SettlerOptions options, Pause& pause, const Clock& clock, std::function<void()> on_change,
          Observer& observer)
      : options_(std::move(options)),
        pause_(pause),
        on_change_(std::move(on_change)),
        observer_(observer),
        rejections_(clock) {}

  // Returns why that is not possible on this link: then nothing of it may be acknowledged.
  Task<std::optional<std::string>> settle(Link& link, std::vector<Outgoing> outgoing);

  // Whether settling failed, since this was asked last, in a way that the next link can avoid.
  bool has_learnt() { return std::exchange(has_learnt_, false); }

  // While a queue rejects messages, and they wait to be published again: which.
  const std::optional<std::string>& rejection() const { return rejection_; }

 private:
  Task<std::optional<std::string>> publish_until_settled(Link& link,
                                                         std::vector<Outgoing> outgoing);
  // What became of messages that were published: what has to be published again, or why the link
  // is of no use.
  struct Again {
    std::vector<Outgoing> outgoing;
    bool is_rejected = false;  // at least one: the queue needs time
    std::size_t given_up = 0;
  };
  std::expected<Again, std::string> to_publish_again(std::vector<Outgoing> outgoing,
                                                     std::vector<amqp::Message> messages,
                                                     std::span<const amqp::Settlement> settlements,
                                                     int attempt);
  Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
      Link& link, std::span<const amqp::Message> messages);
  log::Fields fields(const amqp::Message& message) const;
  std::size_t give_up_harmful(std::vector<Outgoing>& outgoing);
  bool is_convicted(const std::string& what) const;
  bool is_given_up(const std::string& queue, int attempt) const;
  void suspect(const std::string& what);
  void set_rejection(std::optional<std::string> rejection);

  SettlerOptions options_;
  Pause& pause_;
  std::function<void()> on_change_;
  Observer& observer_;
  bool has_learnt_ = false;
  bool one_by_one_ = false;              // publish each answer alone, to find a harmful one
  std::map<std::string, int> suspects_;  // addresses, or replies, on which the broker closed
  std::set<std::string> full_;           // clients' queues for which a reply was given up
  std::optional<std::string> rejection_;
  LogThrottle rejections_;
};

}  // namespace inventory::service
