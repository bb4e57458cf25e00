#pragma once

// DeadLetter: a request that could not be processed, as read from its dead-letter queue; the filter
// that selects some; and the message that sends the request again.

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
  std::string queue;         // the dead-letter queue
  std::size_t position = 0;  // in that queue, from 1 at the head
  amqp::Delivery delivery;

  // From the headers that the service has added (docs/contract.md), or, if the broker dead-lettered
  // the message itself, from x-death: the reason ("delivery-limit"), queue and time. Empty if
  // another program put the message there.
  std::optional<std::string> reason;
  std::optional<std::string> message;
  std::optional<std::string> original_queue;
  std::optional<domain::Timestamp> failed_at;
  bool is_body_dropped = false;  // such a letter cannot be sent again
  bool are_headers_dropped = false;

  // How often a quorum queue has delivered it before; a classic queue does not count.
  std::optional<std::int64_t> deliveries;
};

DeadLetter read_dead_letter(std::string queue, std::size_t position, amqp::Delivery delivery);

// A letter matches if all members that are set match.
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

// The queue to send it to: `to` if it is given, else its original queue, which must be one of
// `request_queues`. The error says why there is none; an incomplete letter cannot be sent.
std::expected<std::string, std::string> replay_queue(
    const DeadLetter& letter, const std::optional<std::string>& to,
    const std::vector<std::string>& request_queues);

// The original request, with its original identity, to be published to `queue`. It is persistent.
// Leaves out the headers about the failure, a quorum queue's delivery count, and what would take
// effect again: expiration, user_id, CC and BCC, also under their new names.
amqp::Message make_replay(const DeadLetter& letter, std::string queue);

// A copy of the letter, to replace it at the end of its queue. As in every dead letter, what would
// take effect again is renamed (docs/contract.md). Leaves out the broker's count of deliveries.
amqp::Message make_copy(const DeadLetter& letter);

// For a replay whose headers do not fit in a frame: removes the headers that brokers have added on
// dead-lettering (x-death and the like). Returns false if there are none.
bool drop_death_headers(amqp::Message& replay);

}  // namespace inventory::cli
