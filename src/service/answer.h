#pragma once

// Answer: everything that one request causes to be published, and how it is made.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "contract/event.h"
#include "contract/queues.h"
#include "domain/item.h"
#include "service/observer.h"

namespace inventory::service {

using contract::dead_letter_queue;
using contract::kept_queue;

// Outgoing: a message, and whether it must arrive. One for a queue of ours must; one for a client's
// own queue is also settled if the broker says that the queue is gone.
struct Outgoing {
  amqp::Message message;
  bool must_arrive = false;
};

// What must be settled before the request is acknowledged: its reply, unless it gets none; the
// request itself as a dead letter, if it can never be processed; and its events.
struct Answer {
  std::uint64_t delivery_tag;
  std::chrono::steady_clock::time_point received_at;
  std::optional<Outgoing> reply;
  std::optional<Outgoing> dead_letter = std::nullopt;
  Outcome outcome = Outcome::invalid;
  bool replayed = false;
  std::vector<contract::Event> events = {};
};

// ReplyQueue: takes the replies to requests without reply_to.
struct ReplyQueue {
  std::string name;
  bool declared_by_us = false;
};

// The reply to a request: to its reply_to or else to `fallback`, with its correlation_id and its
// trace context (https://www.w3.org/TR/trace-context/) byte for byte.
Outgoing make_reply(const amqp::Delivery& request, std::string body, bool replayed,
                    const ReplyQueue& fallback);

// Renames what would take effect again when a message is published again: the properties expiration
// and user_id and the headers CC and BCC become headers `original-...`. Otherwise the broker would
// drop the message when its time is up, refuse it for naming another user, and route it to the
// other queues that it names, perhaps back to where it came from.
void rename_what_acts(amqp::Properties& properties, amqp::HeaderTable& headers);

// The request as it came, for the dead-letter queue of `queue`, with the headers error-reason,
// error-message, original-queue and failed-at; see rename_what_acts().
Outgoing make_dead_letter(const amqp::Delivery& request, std::string_view queue,
                          std::string_view reason, std::string_view what,
                          domain::Timestamp failed_at);

// A reply that the client's queue does not take, for the service's own queue `kept_queue`, with the
// headers of a dead letter: original-queue is the client's queue, to which it can be sent on.
Outgoing make_kept_reply(Outgoing reply, std::string kept_queue, domain::Timestamp kept_at);

// For a dead letter whose headers do not fit in a frame of this connection: leaves out all but our
// own four, and says so with the header headers-dropped. What is left fits in the smallest frame
// that AMQP allows, 4,096 bytes. False if that was done already, or if it is not a dead letter.
bool drop_foreign_headers(amqp::Message& letter);

// For a dead letter that is larger than the broker takes: leaves out its body, and says with the
// header body-dropped how many bytes it had.
void drop_body(amqp::Message& letter);

// Whether this is an address of direct reply-to (https://www.rabbitmq.com/docs/direct-reply-to).
bool is_direct_reply(std::string_view queue);

// The trace that a message belongs to: the trace id of its header traceparent, 32 hexadecimal
// digits; empty if it has no valid one (W3C Trace Context, 3.2.2).
std::string_view trace_id(const amqp::Properties& properties);

}  // namespace inventory::service
