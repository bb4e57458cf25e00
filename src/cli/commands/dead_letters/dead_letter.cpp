#include "cli/commands/dead_letters/dead_letter.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "config/configuration.h"
#include "contract/headers.h"
#include "contract/timestamp.h"
#include "service/answer.h"

namespace inventory::cli {
namespace {

constexpr std::uint8_t kPersistent = 2;

namespace headers = contract::headers;

constexpr std::string_view kStaleHeaders[] = {
    headers::kErrorReason, headers::kErrorMessage,       headers::kOriginalQueue,
    headers::kFailedAt,    headers::kOriginalExpiration, headers::kOriginalUserId,
    headers::kOriginalCc,  headers::kOriginalBcc,        headers::kCc,
    headers::kBcc,         headers::kDeliveryCount,      headers::kAcquiredCount};

constexpr std::string_view kDeathHeaders[] = {headers::kDeath,         "x-first-death-exchange",
                                              "x-first-death-queue",   "x-first-death-reason",
                                              "x-last-death-exchange", "x-last-death-queue",
                                              "x-last-death-reason"};

bool contains(const std::optional<std::string>& text, const std::string& part) {
  return text && text->find(part) != std::string::npos;
}

// What x-death says about the last time that the broker dead-lettered the message.
struct Death {
  std::optional<std::string> reason;
  std::optional<std::string> queue;
  std::optional<domain::Timestamp> time;
};

Death last_death(const amqp::HeaderTable& headers) {
  Death death;
  for (const auto& header : amqp::table_entries(headers.encoded())) {
    if (header.name != headers::kDeath || header.type != 'A') continue;
    const auto deaths = amqp::array_items(header.bytes);
    if (deaths.empty() || deaths.front().type != 'F') continue;
    for (const auto& entry : amqp::table_entries(deaths.front().bytes)) {
      if (entry.name == "reason" && entry.type == 'S') {
        death.reason = std::string(entry.bytes);
        std::ranges::replace(*death.reason, '_', '-');
      } else if (entry.name == "queue" && entry.type == 'S') {
        death.queue = std::string(entry.bytes);
      } else if (entry.name == "time" && entry.type == 'T') {
        const std::chrono::seconds since_epoch(amqp::to_integer(entry).value_or(0));
        death.time = domain::Timestamp(since_epoch);
      }
    }
  }
  return death;
}

}  // namespace

DeadLetter read_dead_letter(std::string queue, std::size_t position, amqp::Delivery delivery) {
  DeadLetter letter;
  letter.queue = std::move(queue);
  letter.position = position;
  if (const auto& table = delivery.properties.headers) {
    const auto find = [&](std::string_view name) -> std::optional<std::string> {
      const auto found = table->find_string(name);
      if (!found) return std::nullopt;
      return std::string(*found);
    };
    letter.reason = find(headers::kErrorReason);
    letter.message = find(headers::kErrorMessage);
    letter.original_queue = find(headers::kOriginalQueue);
    letter.failed_at = contract::parse_timestamp(find(headers::kFailedAt).value_or(""));
    letter.is_body_dropped = !table->find_entry(headers::kBodyDropped).empty();
    letter.are_headers_dropped = !table->find_entry(headers::kHeadersDropped).empty();
    letter.deliveries = table->find_integer(headers::kDeliveryCount);
    if (!letter.reason && !letter.original_queue) {
      Death death = last_death(*table);
      letter.reason = std::move(death.reason);
      letter.original_queue = std::move(death.queue);
      letter.failed_at = death.time;
    }
  }
  letter.delivery = std::move(delivery);
  return letter;
}

bool matches(const DeadLetter& letter, const DeadLetterFilter& filter, domain::Timestamp now) {
  if (filter.reason && letter.reason != filter.reason) return false;
  if (filter.older_than && (!letter.failed_at || now - *letter.failed_at < *filter.older_than)) {
    return false;
  }
  if (filter.newer_than && (!letter.failed_at || now - *letter.failed_at > *filter.newer_than)) {
    return false;
  }
  if (filter.failed_at && letter.failed_at != filter.failed_at) return false;
  if (filter.text && !contains(letter.message, *filter.text) &&
      letter.delivery.body.find(*filter.text) == std::string::npos) {
    return false;
  }
  const amqp::Properties& properties = letter.delivery.properties;
  return !filter.id || properties.message_id == filter.id || properties.correlation_id == filter.id;
}

std::expected<std::string, std::string> replay_queue(
    const DeadLetter& letter, const std::optional<std::string>& to,
    const std::vector<std::string>& request_queues) {
  // The rest is not the original request: its identity or reply_to may be missing.
  if (letter.is_body_dropped) return std::unexpected("its body was dropped");
  if (letter.are_headers_dropped) return std::unexpected("its headers were dropped");
  if (to) return *to;
  if (!letter.original_queue) return std::unexpected("no header original-queue");
  if (std::ranges::find(request_queues, *letter.original_queue) == request_queues.end()) {
    return std::unexpected(fmt::format("original-queue {} is no request queue of the settings",
                                       config::quoted_for_message(*letter.original_queue)));
  }
  return *letter.original_queue;
}

amqp::Message make_replay(const DeadLetter& letter, std::string queue) {
  amqp::Message replay{.routing_key = std::move(queue),
                       .properties = letter.delivery.properties,
                       .body = letter.delivery.body,
                       .mandatory = true,
                       .keeps_properties = true};
  amqp::Properties& properties = replay.properties;
  properties.expiration.reset();
  properties.user_id.reset();
  properties.delivery_mode = kPersistent;
  if (properties.headers) {
    for (const std::string_view stale : kStaleHeaders) properties.headers->remove(stale);
    if (properties.headers->empty()) properties.headers.reset();
  }
  return replay;
}

amqp::Message make_copy(const DeadLetter& letter) {
  amqp::Message copy{.routing_key = letter.queue,
                     .properties = letter.delivery.properties,
                     .body = letter.delivery.body,
                     .mandatory = true,
                     .keeps_properties = true};
  amqp::Properties& properties = copy.properties;
  amqp::HeaderTable headers = properties.headers.value_or(amqp::HeaderTable());
  headers.remove(headers::kDeliveryCount);
  headers.remove(headers::kAcquiredCount);
  service::rename_what_acts(properties, headers);
  properties.headers.reset();
  if (!headers.empty()) properties.headers = std::move(headers);
  return copy;
}

bool drop_death_headers(amqp::Message& replay) {
  if (!replay.properties.headers) return false;
  amqp::HeaderTable& headers = *replay.properties.headers;
  const std::size_t size = headers.encoded().size();
  for (const std::string_view name : kDeathHeaders) headers.remove(name);
  return headers.encoded().size() < size;
}

}  // namespace inventory::cli
