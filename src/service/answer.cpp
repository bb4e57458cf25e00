#include "service/answer.h"

#include <array>

#include "contract/headers.h"
#include "contract/timestamp.h"

namespace inventory::service {
namespace {

namespace headers = contract::headers;

constexpr std::string_view kDirectReplyTo = "amq.rabbitmq.reply-to.";

constexpr std::size_t kTraceHeaderBytesMax = 1024;
constexpr std::size_t kErrorMessageBytesMax = 1024;
constexpr std::size_t kShortErrorMessageBytesMax = 256;  // if frames are small

void copy_trace_context(const amqp::HeaderTable& from, amqp::HeaderTable& to) {
  for (const std::string_view name : {headers::kTraceParent, headers::kTraceState}) {
    const std::string_view entry = from.find_entry(name);
    if (!entry.empty() && entry.size() <= kTraceHeaderBytesMax) {
      to.add_entry(entry);
    }
  }
}

}  // namespace

bool is_direct_reply(std::string_view queue) { return queue.starts_with(kDirectReplyTo); }

Outgoing make_reply(const amqp::Delivery& request, std::string body, bool replayed,
                    const ReplyQueue& fallback) {
  Outgoing reply;
  amqp::Message& message = reply.message;
  const auto& reply_to = request.properties.reply_to;
  message.routing_key = reply_to && !reply_to->empty() ? *reply_to : fallback.name;
  reply.must_arrive = fallback.declared_by_us && message.routing_key == fallback.name;
  // If it is mandatory, RabbitMQ 3.10 returns it even though it delivers it.
  message.mandatory = !is_direct_reply(message.routing_key);
  message.properties.content_type = "application/json";
  message.properties.delivery_mode = 2;
  message.properties.app_id = "inventory-service";
  message.properties.correlation_id = request.properties.correlation_id;
  amqp::HeaderTable headers;
  if (request.properties.headers) {
    copy_trace_context(*request.properties.headers, headers);
  }
  if (replayed) {
    headers.add_bool(headers::kReplayed, true);
  }
  if (!headers.empty()) {
    message.properties.headers = std::move(headers);
  }
  message.body = std::move(body);
  return reply;
}

void rename_what_acts(amqp::Properties& properties, amqp::HeaderTable& headers) {
  if (properties.expiration) {
    headers.add_string(headers::kOriginalExpiration, *properties.expiration);
    properties.expiration.reset();
  }
  if (properties.user_id) {
    headers.add_string(headers::kOriginalUserId, *properties.user_id);
    properties.user_id.reset();
  }
  headers.rename(headers::kCc, headers::kOriginalCc);
  headers.rename(headers::kBcc, headers::kOriginalBcc);
}

Outgoing make_dead_letter(const amqp::Delivery& request, std::string_view queue,
                          std::string_view reason, std::string_view what,
                          domain::Timestamp failed_at) {
  Outgoing letter{.message = {.routing_key = dead_letter_queue(queue),
                              .properties = request.properties,
                              .body = request.body,
                              .mandatory = true,
                              .keeps_properties = true},
                  .must_arrive = true};
  amqp::Properties& properties = letter.message.properties;
  amqp::HeaderTable headers = properties.headers.value_or(amqp::HeaderTable());
  for (const std::string_view ours :
       {headers::kErrorReason, headers::kErrorMessage, headers::kOriginalQueue, headers::kFailedAt,
        headers::kOriginalExpiration, headers::kOriginalUserId, headers::kOriginalCc,
        headers::kOriginalBcc, headers::kHeadersDropped}) {
    headers.remove(ours);  // left from when this message was a dead letter before
  }
  headers.add_string(headers::kErrorReason, reason);
  headers.add_string(headers::kErrorMessage, what.substr(0, kErrorMessageBytesMax));
  headers.add_string(headers::kOriginalQueue, queue);
  headers.add_string(headers::kFailedAt, contract::format_timestamp(failed_at));
  rename_what_acts(properties, headers);
  properties.headers = std::move(headers);
  properties.delivery_mode = 2;  // persistent, even if the request was not
  return letter;
}

Outgoing make_kept_reply(Outgoing reply, std::string kept_queue, domain::Timestamp kept_at) {
  amqp::Message& message = reply.message;
  if (!message.properties.headers) message.properties.headers.emplace();
  amqp::HeaderTable& headers = *message.properties.headers;
  headers.add_string(headers::kErrorReason, "undelivered");
  headers.add_string(headers::kErrorMessage, "the reply queue takes no messages");
  headers.add_string(headers::kOriginalQueue, message.routing_key);
  headers.add_string(headers::kFailedAt, contract::format_timestamp(kept_at));
  message.routing_key = std::move(kept_queue);
  message.mandatory = true;
  reply.must_arrive = true;
  return reply;
}

bool drop_foreign_headers(amqp::Message& letter) {
  if (!letter.properties.headers) {
    return false;
  }
  const amqp::HeaderTable& all = *letter.properties.headers;
  const auto reason = all.find_string(headers::kErrorReason);
  if (!reason || !all.find_entry(headers::kHeadersDropped).empty()) {
    return false;
  }
  amqp::HeaderTable ours;
  ours.add_string(headers::kErrorReason, *reason);
  ours.add_string(
      headers::kErrorMessage,
      all.find_string(headers::kErrorMessage).value_or("").substr(0, kShortErrorMessageBytesMax));
  ours.add_entry(all.find_entry(headers::kOriginalQueue));
  ours.add_entry(all.find_entry(headers::kFailedAt));
  ours.add_bool(headers::kHeadersDropped, true);
  letter.properties.headers = std::move(ours);
  return true;
}

void drop_body(amqp::Message& letter) {
  if (!letter.properties.headers) {
    letter.properties.headers.emplace();
  }
  letter.properties.headers->add_string(headers::kBodyDropped,
                                        std::to_string(letter.body.size()) + " bytes");
  letter.body.clear();
}

std::string_view trace_id(const amqp::Properties& properties) {
  constexpr std::string_view kExample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto header = properties.headers ? properties.headers->find_string(headers::kTraceParent)
                                         : std::optional<std::string_view>();
  if (!header || header->size() < kExample.size() || header->starts_with("ff")) {
    return {};
  }
  for (std::size_t i = 0; i < kExample.size(); ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const bool fits = kExample[i] == '-' ? (*header)[i] == '-' : kDigits.contains((*header)[i]);
    if (!fits) return {};
  }
  const std::string_view id = header->substr(3, 32);
  return id.find_first_not_of('0') == std::string_view::npos ? std::string_view() : id;
}

}  // namespace inventory::service
