#pragma once

// DeadLetter: a request that could not be processed, as its dead-letter queue holds it; which ones
// a person asks for; and the request that it becomes again.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "domain/item.h"

namespace inventory::cli {

struct DeadLetter {
  std::string queue;         // that it lies in
  std::size_t position = 0;  // there, from 1 at the head
  amqp::Delivery delivery;

  // What the service has added (docs/contract.md), or else what the broker tells of a message that
  // it has put there itself (x-death): its reason ("delivery-limit"), queue and time. A message
  // that others put there may lack it.
  std::optional<std::string> reason;
  std::optional<std::string> message;
  std::optional<std::string> original_queue;
  std::optional<domain::Timestamp> failed_at;
  bool is_body_dropped = false;  // then it cannot be sent again
  bool are_headers_dropped = false;

  // How often a quorum queue has delivered it before; a classic queue does not count.
  std::optional<std::int64_t> deliveries;
};

DeadLetter read_dead_letter(std::string queue, std::size_t position, amqp::Delivery delivery);

// All that is set must hold.
struct DeadLetterFilter {
  std::optional<std::string> reason = std::nullopt;
  std::optional<std::chrono::seconds> older_than =
      std::nullopt;  // a letter without failed-at has no age
  std::optional<std::chrono::seconds> newer_than = std::nullopt;
  std::optional<domain::Timestamp> failed_at = std::nullopt;
  std::optional<std::string> text = std::nullopt;  // in body or error-message
  std::optional<std::string> id = std::nullopt;    // message_id or correlation_id
};

bool matches(const DeadLetter& letter, const DeadLetterFilter& filter, domain::Timestamp now);

// The queue to send it to again: `to` if it is given, else its original queue, which must be one of
// `request_queues`. The error says why there is none: a letter that is not whole has none.
std::expected<std::string, std::string> replay_queue(
    const DeadLetter& letter, const std::optional<std::string>& to,
    const std::vector<std::string>& request_queues);

// The request as it came, to be published to `queue`, so that it has the identity that it had. Left
// out is what told of its failure, what would act once more (expiration, user_id, CC and BCC, also
// as they were renamed), and a quorum queue's count. It is persistent.
amqp::Message make_replay(const DeadLetter& letter, std::string queue);

// The letter itself, to be put at the end of its queue again in place of the one there. As in every
// dead letter, what would act once more has another name (docs/contract.md). Without the broker's
// count of deliveries.
amqp::Message make_copy(const DeadLetter& letter);

// For a replay whose headers do not fit in a frame: leaves out what brokers have added when they
// dead-lettered it (x-death and the like). False if there is nothing of it.
bool drop_death_headers(amqp::Message& replay);

}  // namespace inventory::cli
