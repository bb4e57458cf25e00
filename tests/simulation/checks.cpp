#include "checks.h"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "contract/adjustment_message.h"
#include "contract/cancellation_message.h"
#include "contract/confirmation_message.h"
#include "contract/expiry_message.h"
#include "contract/item_message.h"
#include "contract/order_message.h"
#include "domain/testing/memory_tables.h"
#include "service/answer.h"
#include "service/batch_decider.h"

namespace inventory::simulation {
namespace {

constexpr std::string_view kTraceHeader = "traceparent";
constexpr std::string_view kRefused = "the database refuses it";

// Replies to a silent queue are kept after half a minute. In a calm world nothing else takes long.
constexpr Time kKeptMax = seconds(45);

std::string key_text(domain::ProductId product, const std::string& identity) {
  return fmt::format("{} {}", product, identity);
}

bool is_poison(const std::optional<domain::OrderId>& id) {
  return id && id->display().starts_with(kPoison);
}

// The reply to a request that is not valid, or that the database refuses.
std::string invalid_reply(const Request& request, std::string_view what) {
  switch (request.kind) {
    case Kind::order:
      return contract::invalid_order_reply(contract::read_order(request.body, kBodyBytesMax), what);
    case Kind::item:
      return contract::invalid_item_reply(contract::read_item(request.body, kBodyBytesMax), what);
    case Kind::cancellation:
      return contract::invalid_cancellation_reply(
          contract::read_cancellation(request.body, kBodyBytesMax), what);
    case Kind::confirmation:
      return contract::invalid_confirmation_reply(
          contract::read_confirmation(request.body, kBodyBytesMax), what);
    case Kind::adjustment:
    case Kind::expiry:  // it has no reply
      break;
  }
  return contract::invalid_adjustment_reply(contract::read_adjustment(request.body, kBodyBytesMax),
                                            what);
}

// The error of an invalid body; empty if it is valid.
std::optional<std::string> error_of(const Request& request) {
  const auto text = [](const auto& read) {
    return read ? std::nullopt : std::optional(read.error().what);
  };
  switch (request.kind) {
    case Kind::order:
      return text(contract::read_order(request.body, kBodyBytesMax).order);
    case Kind::cancellation:
      return text(contract::read_cancellation(request.body, kBodyBytesMax).cancellation);
    case Kind::adjustment:
      return text(contract::read_adjustment(request.body, kBodyBytesMax).adjustment);
    case Kind::confirmation:
      return text(contract::read_confirmation(request.body, kBodyBytesMax).confirmation);
    case Kind::expiry:
      return text(contract::read_expiry(request.body, kBodyBytesMax));
    case Kind::item:
      break;
  }
  const auto message = contract::read_item(request.body, kBodyBytesMax);
  return message.error ? std::optional(message.error->what) : std::nullopt;
}

// Sets what a valid request asks for, as the service reads it, and whether the database refuses it.
void read_into(Request& request) {
  if (request.kind == Kind::order) {
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    request.is_refused = !message.order || is_poison(message.order_id);
    if (message.order) {
      request.command =
          std::visit([](const auto& one) -> domain::Command { return one; }, *message.order);
      request.identity =
          std::visit([](const auto& one) { return one.ledger_identity(); }, *message.order);
    }
  } else if (request.kind == Kind::cancellation) {
    const auto message = contract::read_cancellation(request.body, kBodyBytesMax);
    request.is_refused = !message.cancellation || is_poison(message.order_id);
    if (message.cancellation) {
      request.command = *message.cancellation;
      request.identity = message.cancellation->order_ledger_identity();
    }
  } else if (request.kind == Kind::confirmation) {  // the database has nothing to refuse
    const auto message = contract::read_confirmation(request.body, kBodyBytesMax);
    request.is_refused = !message.confirmation;
    if (message.confirmation) {
      request.command = *message.confirmation;
      request.identity = message.confirmation->order_ledger_identity();
    }
  } else if (request.kind == Kind::expiry) {
    const auto expiry = contract::read_expiry(request.body, kBodyBytesMax);
    request.is_refused = !expiry;
    if (expiry) {
      request.command = *expiry;
      request.identity = expiry->identity;
    }
  } else if (request.kind == Kind::adjustment) {
    const auto message = contract::read_adjustment(request.body, kBodyBytesMax);
    request.is_refused = !message.adjustment;
    if (message.adjustment) {
      request.command = *message.adjustment;
      request.identity = message.adjustment->ledger_identity();
    }
  } else {
    const auto message = contract::read_item(request.body, kBodyBytesMax);
    request.is_refused = message.error.has_value();
    request.identity =
        contract::item_identity(request.properties.message_id, request.properties.correlation_id);
    if (message.product_id) request.products = {*message.product_id};
    request.adds_unseen = !message.error && !request.identity && !message.product_id;
  }
  if (request.command) {
    request.products = domain::products_of(*request.command);
    request.asked = EventModel::asked_by(*request.command);
  } else if (request.identity) {
    domain::NewItem item{};
    item.identity = request.identity;
    request.asked = EventModel::asked_by(item);
  }
  if (request.undecodable) request.is_refused = true;
  if (request.is_refused) {
    request.identity.reset();
    request.command.reset();
    request.asked.clear();
    request.adds_unseen = false;
  }
}

bool is_taken(domain::Outcome outcome) {
  return outcome == domain::Outcome::accepted || outcome == domain::Outcome::held;
}

// Whether a repetition may get another answer, because the ledger keeps nothing of the request.
bool is_unkept(const Request& request, const std::string& body) {
  return request.kind == Kind::confirmation && body.contains("Order not found");
}

}  // namespace

void Checks::broken(std::string_view promise, std::string_view how) {
  if (!violation_) {
    violation_ = fmt::format("{}: {}", promise, how);
  }
}

Request& Checks::add(Kind kind, amqp::Properties properties, std::string body,
                     std::optional<std::string> undecodable) {
  const std::uint64_t number = requests_.size() + 1;
  if (!properties.headers) {
    properties.headers.emplace();
  }
  properties.headers->add_string(kTraceHeader,
                                 fmt::format("00-{:032x}-{:016x}-01", number, number));
  Request request{.number = number,
                  .kind = kind,
                  .properties = std::move(properties),
                  .body = std::move(body),
                  .undecodable = std::move(undecodable),
                  .since = scheduler_.now(),
                  .products = {},
                  .command = {},
                  .identity = {},
                  .asked = {}};
  read_into(request);
  return requests_.emplace(number, std::move(request)).first->second;
}

std::string Checks::reply_queue(const Request& request) {
  const auto& reply_to = request.properties.reply_to;
  if (reply_to && !reply_to->empty()) return *reply_to;
  return std::string(row_of(request.kind).reply_queue);
}

// Also true for a request that is invalid for another reason; waiting for it does no harm.
bool Checks::is_bad_product(const Request& request) const {
  if (std::ranges::any_of(request.products,
                          [this](auto product) { return bad_products_.contains(product); })) {
    return true;
  }
  return request.kind == Kind::item && are_items_bad_ &&
         contract::read_item(request.body, kBodyBytesMax).quantity == kBadItemQuantity;
}

// If processes can put aside only few requests, also one whose product was locked for the time that
// a request in the way may be.
bool Checks::may_be_refused(const Request& request) const {
  return is_bad_product(request) ||
         (refused_min_ == Time(0) && std::ranges::any_of(request.products, [this](auto product) {
            const auto found = found_locked_.find(product);
            return found != found_locked_.end() &&
                   found->second.last - found->second.first >= service::kLockedMaxInTheWay;
          }));
}

// After that time events are tried again, or published again if there was no answer.
void Checks::mark_bad_events(Time how_long) { events_bad_for_ += how_long + kKeptMax; }

void Checks::on_found_locked(domain::ProductId product) {
  const Time now = scheduler_.now();
  found_locked_.try_emplace(product, now, now).first->second.last = now;
}

bool Checks::is_good(const Request& request) const {
  return !request.undecodable && !bad_queues_.contains(reply_queue(request)) &&
         !is_bad_product(request);
}

const Request* Checks::first_good_unanswered() {
  while (settled_up_to_ < requests_.size()) {
    const Request& request = requests_.at(settled_up_to_ + 1);
    if (!request.is_answered() && is_good(request)) return &request;
    ++settled_up_to_;
  }
  return nullptr;
}

Request* Checks::find(const amqp::Properties& properties) {
  const auto trace = properties.headers ? properties.headers->find_string(kTraceHeader)
                                        : std::optional<std::string_view>();
  if (!trace || trace->size() != 55) {
    return nullptr;
  }
  std::uint64_t number = 0;
  std::from_chars(trace->data() + 3, trace->data() + 35, number, 16);
  const auto found = requests_.find(number);
  return found == requests_.end() ? nullptr : &found->second;
}

void Checks::on_published(const amqp::Message& message, bool has_queue) {
  Request* const request = find(message.properties);
  if (request == nullptr) {
    broken("a reply repeats its request's traceparent", message.body);
    return;
  }
  const std::string dead_letters = service::dead_letter_queue(row_of(request->kind).queue);
  const bool is_dead_letter = message.routing_key == dead_letters;
  const bool is_kept = message.routing_key.ends_with(".undelivered");
  if (!request->is_replied_to() && !is_dead_letter) {
    broken("nobody is told of an expiry", message.body);
    return;
  }
  if (!has_queue) {
    if (is_dead_letter || is_kept) return;  // it is published again
    ++request->undeliverable_replies;
    ++undeliverable_replies_;
    check_wait(*request);
  } else if (is_dead_letter) {
    on_dead_letter(*request, message);
  } else if (is_kept) {
    on_kept(*request, message);
  } else {
    on_reply(*request, message);
  }
}

void Checks::on_dead_letter(Request& request, const amqp::Message& letter) {
  ++request.dead_letters;
  ++dead_letters_;
  const amqp::HeaderTable headers = letter.properties.headers.value_or(amqp::HeaderTable());
  const auto reason = headers.find_string("error-reason");
  if (reason == "refused") {
    ++request.refusals;
    ++refusals_;
    if (!may_be_refused(request)) {
      broken("only what fails by itself is refused", request.body);
    }
    if (scheduler_.now() - request.since < refused_min_) {
      broken("a request is refused only after minutes", request.body);
    }
    if (letter.body != request.body || !headers.find_string("error-message")) {
      broken("a dead letter is the request as it came, with the reason", letter.body);
    }
    return;
  }
  if (!request.is_refused) {
    broken("only what can never be processed becomes a dead letter", request.body);
  }
  if (letter.body != request.body || !headers.find_string("error-message") ||
      reason !=
          (request.body.size() > kBodyBytesMax && !request.undecodable ? "too-large" : "invalid")) {
    broken("a dead letter is the request as it came, with the reason", letter.body);
  }
}

// The service has kept a reply that its client's queue did not take.
void Checks::on_kept(Request& request, const amqp::Message& reply) {
  ++request.kept_replies;
  ++kept_replies_;
  const amqp::HeaderTable headers = reply.properties.headers.value_or(amqp::HeaderTable());
  const std::string queue = reply_queue(request);
  if (headers.find_string("original-queue") != queue ||
      headers.find_string("error-reason") != "undelivered" ||
      reply.properties.correlation_id != request.properties.correlation_id) {
    broken("a reply is kept with where it goes", fmt::format("request {}", request.number));
  }
  if (is_calm_ && !bad_queues_.contains(queue)) {
    broken("only replies to queues that take none are kept", queue);
  }
  const auto expected = expected_reply(request, &reply.body);
  if (!is_refusal(request, reply.body) && !is_conflict_of_then(request, reply.body) && expected &&
      reply.body != *expected) {
    broken("a reply says what was decided",
           fmt::format("request {}: {} instead of {}", request.number, reply.body, *expected));
  }
}

// In a calm world a request is answered soon, and again at most once for each bad queue.
void Checks::check_wait(const Request& request) {
  if (!is_calm_ || !is_good(request)) {
    return;
  }
  const auto copies = request.replies + request.undeliverable_replies;
  if (copies > 1 + bad_queues_.size() + stopped_with_events_) {
    broken("a reply is published at most once more for one bad queue",
           fmt::format("request {}: {} copies", request.number, copies));
  }
  if (copies > 1) {
    return;
  }
  const Time waited = scheduler_.now() - request.since;
  longest_wait_ = std::max(longest_wait_, waited);
  if (waited > kAnswerMax) {
    broken("a request that is not bad itself is answered soon",
           fmt::format("request {}: after {} s", request.number,
                       static_cast<double>(waited.count()) / 1e6));
  }
}

void Checks::on_reply(Request& request, const amqp::Message& reply) {
  ++request.replies;
  ++replies_;
  check_wait(request);
  if (reply.routing_key != reply_queue(request) ||
      reply.properties.correlation_id != request.properties.correlation_id) {
    broken("a reply goes to reply_to, with the request's correlation_id",
           fmt::format("request {} answered to {}", request.number, reply.routing_key));
  }
  const amqp::HeaderTable headers = reply.properties.headers.value_or(amqp::HeaderTable());
  const bool is_replayed = !headers.find_entry("idempotent-replayed").empty();
  replays_ += is_replayed ? 1 : 0;
  if (is_refusal(request, reply.body)) {
    return;
  }
  if (request.adds_unseen) {
    check_anonymous_item(request, reply.body);
    return;
  }
  check_decision(request, reply, is_replayed);
}

void Checks::check_decision(const Request& request, const amqp::Message& reply, bool is_replayed) {
  if (is_conflict_of_then(request, reply.body)) return;
  const auto expected = expected_reply(request, &reply.body);
  if (!expected) {
    broken("a request is answered only when its decision is committed",
           fmt::format("request {}, {}", request.number, reply.body));
    return;
  }
  if (reply.body != *expected) {
    broken("a reply says what was decided",
           fmt::format("request {}: {} instead of {}", request.number, reply.body, *expected));
  }
  const bool is_order_by_body = request.kind != Kind::item;
  const std::string key =
      fmt::format("{} {} {}", row_of(request.kind).name,
                  is_order_by_body ? request.body : request.identity.value_or(request.body),
                  request.undecodable.value_or(""));
  if (is_unkept(request, reply.body)) return;
  const auto& first = reply_bodies_.emplace(key, reply.body).first->second;
  if (first != reply.body) {
    broken("a request is always answered the same",
           fmt::format("request {}: {} and {}", request.number, first, reply.body));
  }
  if (is_replayed || !request.identity || reply.body.contains("Invalid ")) {
    return;
  }
  check_basket(request);
  const bool is_one = request.kind == Kind::item || request.products.size() == 1;
  if (!is_one || (request.command && std::holds_alternative<domain::Basket>(*request.command))) {
    return;
  }
  const auto decider = first_deciders_.emplace(
      fmt::format("{} {} {}", row_of(request.kind).name,
                  request.kind == Kind::item ? 0 : request.products.front(), *request.identity),
      request.number);
  if (decider.first->second != request.number) {
    broken("an identity is decided once", fmt::format("{} by requests {} and {}", *request.identity,
                                                      decider.first->second, request.number));
  }
}

// A new decision about an order of several items takes all or nothing.
void Checks::check_basket(const Request& request) {
  const auto* basket = request.command ? std::get_if<domain::Basket>(&*request.command) : nullptr;
  if (basket == nullptr) return;
  std::size_t accepted = 0;
  for (const auto& item : basket->items) {
    const auto* found = entry(item.product, *request.identity);
    accepted += found != nullptr && is_taken(found->outcome) ? 1 : 0;
  }
  if (accepted != 0 && accepted != basket->items.size()) {
    broken("an order of several items is decided as a whole", request.body);
  }
}

void Checks::check_anonymous_item(const Request& request, const std::string& body) {
  constexpr std::string_view kStart = R"({"id":)";
  domain::ProductId id = 0;
  std::from_chars(body.data() + kStart.size(), body.data() + body.size(), id);
  const auto item = tables_.items.find(id);
  if (item == tables_.items.end()) {
    broken("a request is answered only when its decision is committed", body);
    return;
  }
  domain::Item as_added = item->second;
  as_added.quantity = tables_.ledger.at({id, std::string(domain::kOpening)}).quantity;
  if (body != contract::item_reply({.item = as_added})) {
    broken("a reply says what was decided", body);
  }
  if (anonymous_items_.emplace(id, request.number).first->second != request.number) {
    broken("an item is added for one request", body);
  }
}

// Whether the reply says that the request was refused because it failed for too long.
bool Checks::is_refusal(const Request& request, const std::string& body) const {
  if (request.is_refused || !may_be_refused(request)) {
    return false;
  }
  return body == invalid_reply(request, kRefused);
}

const domain::LedgerEntry* Checks::entry(domain::ProductId product,
                                         const std::string& identity) const {
  const auto found = tables_.ledger.find({product, identity});
  return found == tables_.ledger.end() ? nullptr : &found->second;
}

// Whether it is an order of several items whose identity has a ledger entry.
bool Checks::may_be_conflict(const Request& request) const {
  const auto* basket = request.command ? std::get_if<domain::Basket>(&*request.command) : nullptr;
  return basket != nullptr && std::ranges::any_of(basket->items, [&](const auto& item) {
           return entry(item.product, *request.identity) != nullptr;
         });
}

// Whether the reply was a correct conflict at its time. Other items may have been decided since,
// and would change the answer.
bool Checks::is_conflict_of_then(const Request& request, const std::string& body) const {
  if (!may_be_conflict(request)) return false;
  const auto message = contract::read_order(request.body, kBodyBytesMax);
  domain::BasketDecision conflict{.outcome = domain::Outcome::conflict};
  if (body == contract::basket_reply(message, conflict)) return true;
  // The reply names the first product that was decided then; more may be decided by now.
  return std::ranges::any_of(request.products, [&](domain::ProductId product) {
    const auto* one = entry(product, *request.identity);
    if (one == nullptr) return false;
    conflict.conflicts_with = domain::OrderItem{product, one->quantity};
    const auto* item = model_.find({product, *request.identity});
    conflict.hold_of_conflict = item == nullptr ? std::nullopt : item->hold_seconds;
    return body == contract::basket_reply(message, conflict);
  });
}

std::optional<std::string> Checks::expected_reply(const Request& request,
                                                  const std::string* body) const {
  if (request.undecodable) {
    return invalid_reply(request, "the message cannot be decoded: " + *request.undecodable);
  }
  if (const auto error = error_of(request)) return invalid_reply(request, *error);
  if (request.is_refused) return invalid_reply(request, kRefused);
  return expected_decision(request, body);
}

std::optional<std::string> Checks::expected_decision(const Request& request,
                                                     const std::string* body) const {
  switch (request.kind) {
    case Kind::order:
      return std::holds_alternative<domain::Order>(*request.command) ? expected_order(request)
                                                                     : expected_basket(request);
    case Kind::cancellation:
      return expected_cancellation(request);
    case Kind::adjustment:
      return expected_adjustment(request);
    case Kind::confirmation:
      return expected_confirmation(request, body);
    case Kind::expiry:
    case Kind::item:
      break;
  }
  return expected_item(request);
}

std::optional<std::string> Checks::expected_order(const Request& request) const {
  const auto& order = std::get<domain::Order>(*request.command);
  const auto* found = entry(order.product, *request.identity);
  if (found == nullptr) return std::nullopt;
  domain::OrderDecision decision{.outcome = found->outcome};
  const auto* item = model_.find({order.product, *request.identity});
  if (item == nullptr) return std::nullopt;
  decision.held_until = item->until;
  const bool is_same =
      found->quantity == order.quantity && item->hold_seconds == order.hold_seconds;
  if (!is_same && found->outcome != domain::Outcome::cancelled_first) {
    decision.conflicts_with = found->quantity;
    decision.hold_of_conflict = item->hold_seconds;
  }
  return contract::order_reply(contract::read_order(request.body, kBodyBytesMax), decision);
}

// If its items have several of the outcomes listed below, the last of these is that of the order.
std::optional<std::string> Checks::expected_basket(const Request& request) const {
  using enum domain::Outcome;
  const auto& basket = std::get<domain::Basket>(*request.command);
  const auto message = contract::read_order(request.body, kBodyBytesMax);
  std::vector<const domain::LedgerEntry*> found;
  std::optional<domain::Timestamp> until;
  for (const auto& item : basket.items) {
    found.push_back(entry(item.product, *request.identity));
    const auto* last = found.back();
    const auto* known = model_.find({item.product, *request.identity});
    if (last == nullptr || known == nullptr || known->is_tombstone) continue;
    if (last->quantity != item.quantity || known->hold_seconds != basket.hold_seconds) {
      return contract::basket_reply(
          message, {.outcome = conflict,
                    .conflicts_with = domain::OrderItem{item.product, last->quantity},
                    .hold_of_conflict = known->hold_seconds});
    }
    if (known->until) until = known->until;
  }
  if (std::ranges::find(found, nullptr) != found.end()) return std::nullopt;
  domain::BasketDecision decision{.outcome = until ? held : accepted};
  for (const auto outcome : {other_item, not_enough_stock, product_not_found, cancelled_first}) {
    for (const auto* one : found) {
      if (one->outcome == outcome) decision.outcome = outcome;
    }
  }
  for (const auto* one : found) {
    if (is_taken(one->outcome) || one->outcome == other_item) continue;
    decision.in_the_way.push_back({one->key.first, one->quantity_after});
  }
  if (decision.outcome == held) decision.held_until = until;
  return contract::basket_reply(message, decision);
}

std::optional<std::string> Checks::expected_cancellation(const Request& request) const {
  using enum domain::Outcome;
  const auto& cancellation = std::get<domain::Cancellation>(*request.command);
  domain::CancellationDecision decision;
  bool is_missing = false;
  for (const auto& item : cancellation.items) {
    const auto* order = entry(item.product, *request.identity);
    const auto* own = entry(item.product, "c" + *request.identity);
    if (order == nullptr) {
      is_missing = true;
      continue;
    }
    const bool was_first = order->outcome == cancelled_first;
    if (item.quantity && !was_first && order->quantity != *item.quantity) {
      decision.conflicts_with = domain::OrderItem{item.product, order->quantity};
      break;
    }
    is_missing = is_missing || (own == nullptr && !was_first);
    const auto* known = model_.find({item.product, *request.identity});
    decision.items.push_back({item.product, known == nullptr ? 0 : known->given_back});
  }
  if (is_missing && !decision.conflicts_with) return std::nullopt;
  return contract::cancellation_reply(contract::read_cancellation(request.body, kBodyBytesMax),
                                      decision);
}

// The decision about such a confirmation that equals the reply, if any; else the last one.
std::optional<std::string> Checks::expected_confirmation(const Request& request,
                                                         const std::string* body) const {
  const auto message = contract::read_confirmation(request.body, kBodyBytesMax);
  std::optional<std::string> expected;
  for (const auto& decision : model_.answers(std::get<domain::Confirmation>(*request.command))) {
    expected = contract::confirmation_reply(message, decision);
    if (body != nullptr && *expected == *body) break;
  }
  return expected;
}

std::optional<std::string> Checks::expected_adjustment(const Request& request) const {
  const auto& adjustment = std::get<domain::Adjustment>(*request.command);
  const auto* found = entry(adjustment.product, *request.identity);
  if (found == nullptr) return std::nullopt;
  const bool is_same = found->terms == adjustment.terms() &&
                       found->quantity == adjustment.change.value_or(adjustment.set_to.value_or(0));
  domain::AdjustmentDecision decision{.outcome = domain::Outcome::conflict};
  if (is_same) decision = {.outcome = found->outcome, .quantity = found->quantity_after};
  return contract::adjustment_reply(contract::read_adjustment(request.body, kBodyBytesMax),
                                    decision);
}

std::optional<std::string> Checks::expected_item(const Request& request) const {
  const auto message = contract::read_item(request.body, kBodyBytesMax);
  if (!request.identity && message.product_id) {  // for a product that existed from the start
    return contract::item_reply(
        {.item = {0, *message.quantity, message.description, {}}, .is_taken = true});
  }
  const auto found = tables_.requests.find(request.identity.value_or(""));
  if (found == tables_.requests.end()) {
    return std::nullopt;
  }
  const domain::ItemAnswer& answer = found->second;
  const bool is_same =
      answer.quantity == *message.quantity && answer.description == message.description &&
      answer.chosen_id == message.product_id && answer.low_stock == message.low_stock;
  if (!is_same) {
    return contract::item_reply({.item = {0, *message.quantity, message.description, {}},
                                 .conflicts_with = answer.id ? answer.id : answer.chosen_id});
  }
  return contract::item_reply({.item = {answer.id.value_or(0), answer.quantity, answer.description,
                                        answer.created_at, answer.low_stock},
                               .is_taken = !answer.id});
}

void Checks::on_received(const Request& request) { received_.push_back(request.number); }

void Checks::on_given_up(const Request& request) {
  ++requests_.at(request.number).undeliverable_replies;
  ++undeliverable_replies_;
  ++given_up_;
}

void Checks::on_acknowledge(const Request& request, Time after, bool reply_is_settled,
                            bool dead_letter_is_settled) {
  const auto how = [&] { return fmt::format("request {}: {}", request.number, request.body); };
  if (is_calm_ && !is_bad_product(request) && after > kKeptMax + events_bad_for_) {
    broken("what a client's queue does not take is kept or given up soon", how());
  }
  const bool is_decided =
      request.kind == Kind::expiry
          ? request.is_refused || model_.expiry_decided({request.products.front(),
                                                         *request.identity}) >= request.since
          : request.adds_unseen || may_be_conflict(request) || expected_reply(request, nullptr);
  if (!is_decided && (!dead_letter_is_settled || request.refusals == 0)) {
    broken("nothing is acknowledged before its decision is committed", how());
  }
  if (!reply_is_settled) {
    broken("nothing is acknowledged before its reply is settled on that link", how());
  }
  if (request.is_refused && !dead_letter_is_settled) {
    broken("nothing is acknowledged before its dead letter is confirmed on that link", how());
  }
}

void Checks::on_decision(const domain::Command& command, const domain::Decision& decision,
                         bool is_serial, domain::Timestamp began) {
  model_.on_decided(command, decision, is_serial, began, scheduler_.now());
  const auto outcome = domain::outcome_of(decision);
  if (domain::is_replayed(decision)) return;
  holds_ += outcome == domain::Outcome::held ? 1 : 0;
  confirmed_ += outcome == domain::Outcome::confirmed ? 1 : 0;
  const auto* expiry = std::get_if<domain::Expiry>(&command);
  if (expiry == nullptr || outcome != domain::Outcome::expired) return;
  ++expired_;
  const auto* hold = model_.find({expiry->product, expiry->identity});
  if (!is_calm_ || hold == nullptr || !hold->until || bad_products_.contains(expiry->product)) {
    return;
  }
  const Time overdue =
      std::min(Time(scheduler_.wall_now() - *hold->until), scheduler_.now() - served_since_);
  longest_overdue_ = std::max(longest_overdue_, overdue);
  if (overdue > kGiveBackMax) {
    broken("a hold that is over is given back soon",
           fmt::format("product {}, {}: after {} s", expiry->product, expiry->identity,
                       static_cast<double>(overdue.count()) / 1e6));
  }
}

void Checks::on_commit(const std::set<domain::ProductId>& touched) {
  for (const auto product : touched) {
    domain::Quantity sum = 0;
    for (auto at = tables_.ledger.lower_bound({product, ""});
         at != tables_.ledger.end() && at->first.first == product; ++at) {
      sum += at->second.delta;
      check_entry(at->second);
    }
    const auto item = tables_.items.find(product);
    const domain::Quantity stock = item == tables_.items.end() ? 0 : item->second.quantity;
    if (stock < 0) {
      broken("stock never goes below zero", fmt::format("product {} has {}", product, stock));
    }
    if (sum != stock) {
      broken("the ledger's deltas sum to the stock",
             fmt::format("product {} has {}, its ledger {}", product, stock, sum));
    }
  }
}

// Within a batch, the versions of a product show the order in which its orders were decided.
void Checks::check_order_within(const Arrivals& arrivals,
                                const std::map<domain::LedgerKey, domain::LedgerEntry>& entries) {
  std::map<domain::ProductId, std::map<std::int64_t, std::size_t>> places;  // by version
  for (const auto& [key, entry] : entries) {
    if (!is_taken(entry.outcome) || !entry.version) continue;
    std::vector<std::size_t> found;
    for (std::size_t at = 0; at < arrivals.received.size(); ++at) {
      const Request& request = *arrivals.received[at];
      if (request.identity == key.second && request.products == std::vector{key.first}) {
        found.push_back(at);
      }
    }
    if (found.size() == 1) places[key.first].emplace(*entry.version, found.front());
  }
  for (const auto& [product, by_version] : places) {
    if (!std::ranges::is_sorted(by_version | std::views::values)) {
      broken("orders for a product are decided in the order in which they arrived on a link",
             fmt::format("product {}, within a batch", product));
    }
  }
}

// While an order that was put aside waits, later ones for its product wait too. If it was refused
// before a later one was decided, it must not be decided any more.
void Checks::on_decided(Arrivals& arrivals, std::uint64_t epoch,
                        const std::map<domain::LedgerKey, domain::LedgerEntry>& entries) {
  if (arrivals.epoch != epoch) {
    return;
  }
  check_order_within(arrivals, entries);
  for (const auto& [key, entry] : entries) {
    const std::string identity = key_text(key.first, key.second);
    std::vector<const Request*> before;
    bool was_overtaken = false;
    bool is_found = false;
    for (const Request* const request : arrivals.received) {
      if (!request->identity ||
          std::ranges::find(request->products, key.first) == request->products.end())
        continue;
      // A failing order of several items delays only the requests known to be in its way.
      const bool is_single = request->products.size() == 1;
      if (*request->identity != key.second) {
        if (is_single) before.push_back(request);
        continue;
      }
      if (!is_single) return;
      is_found = !arrivals.overtaken.contains(request);
      if (is_found) break;
      was_overtaken = true;
    }
    if (!is_found && was_overtaken) {
      broken("orders for a product are decided in the order in which they arrived on a link",
             identity);
    }
    if (!is_found) continue;
    for (const Request* const request : before) {
      if (!tables_.ledger.contains({key.first, *request->identity})) {
        arrivals.overtaken.insert(request);
      }
    }
  }
}

// Adds the entries that must exist. An order of several items may have been a conflict, so its
// entries are not certain.
void Checks::check_decided(const Request& request, std::set<std::string>& decided) const {
  if (!request.command) return;
  const bool is_certain =
      std::holds_alternative<domain::Order>(*request.command) || request.kind == Kind::adjustment;
  if (is_certain) decided.insert(key_text(request.products.front(), *request.identity));
}

// Checks what the promises say about a single entry, and about the order of a cancellation.
void Checks::check_entry(const domain::LedgerEntry& one) {
  const auto& [product, identity] = one.key;
  const auto flaw =
      domain::flaw_of(identity, {domain::row_of(one.outcome).word, one.quantity, one.delta});
  if (!flaw.empty()) broken("the ledger's entries make sense", identity + ": " + flaw);
  if (identity.starts_with('c')) {
    const auto* order = entry(product, identity.substr(1));
    const bool is_owed = order != nullptr && is_taken(order->outcome) &&
                         entry(product, 'x' + identity.substr(1)) == nullptr;
    if (one.delta != (is_owed ? order->quantity : 0)) {
      broken("what a cancelled order took is given back once",
             fmt::format("product {}, {}: {}", product, identity, one.delta));
    }
  }
  check_hold(one);
  constexpr std::string_view kExpected = "set_to, expected ";
  if (one.outcome == domain::Outcome::adjusted && one.terms && one.terms->starts_with(kExpected)) {
    const std::string before = fmt::to_string(one.quantity_after.value_or(0) - one.delta);
    if (one.terms->substr(kExpected.size()) != before) {
      broken(
          "an adjustment is done only if what is there is what was expected",
          fmt::format("product {}, {}: {}, there was {}", product, identity, *one.terms, before));
    }
  }
}

// A hold is confirmed or given back once, and is among the open holds until then.
void Checks::check_hold(const domain::LedgerEntry& one) {
  const auto& [product, identity] = one.key;
  const auto how = [&] { return fmt::format("product {}, {}", product, identity); };
  if (one.outcome == domain::Outcome::held) {
    const auto* hold = model_.find(one.key);
    if (hold == nullptr || hold->is_open() != tables_.holds.contains(one.key)) {
      broken("what is held is among the open holds until it ends", how());
    }
  }
  if (!identity.starts_with('x')) return;
  const std::string of = identity.substr(1);
  const auto* order = entry(product, of);
  const auto* confirmation = entry(product, 'f' + of);
  const auto* cancellation = entry(product, 'c' + of);
  if (order == nullptr || order->outcome != domain::Outcome::held || one.delta != order->quantity) {
    broken("a hold that is over gives back what it held", how());
  }
  if (confirmation != nullptr && confirmation->outcome == domain::Outcome::confirmed) {
    broken("a hold that was confirmed is not given back but by a cancellation", how());
  }
  if (cancellation != nullptr && cancellation->delta != 0) {
    broken("what was held comes back once", how());
  }
}

void Checks::on_drained(const Tables& initial) {
  events_.on_drained();
  std::set<std::string> orders;   // entries that were requested
  std::set<std::string> decided;  // those that must have been decided
  std::uint64_t anonymous = 0;
  for (const auto& [number, request] : requests_) {
    if (!request.is_answered()) {
      broken("every request is answered", fmt::format("request {}: {}", number, request.body));
    }
    if (request.is_refused && request.dead_letters == 0) {
      broken("what can never be processed becomes a dead letter", request.body);
    }
    for (const auto product : request.products) {
      if (!request.command) break;
      if (request.kind == Kind::confirmation) {
        orders.insert(key_text(product, "f" + *request.identity));
        continue;
      }
      if (request.kind == Kind::expiry) {
        orders.insert(key_text(product, "x" + *request.identity));
        continue;
      }
      orders.insert(key_text(product, *request.identity));
      if (request.kind == Kind::cancellation) {
        orders.insert(key_text(product, "c" + *request.identity));
      }
    }
    if (request.refusals == 0) check_decided(request, decided);
    anonymous += request.adds_unseen && request.refusals == 0 ? 1 : 0;
  }
  std::set<domain::ProductId> products;
  for (const auto& [key, entry] : tables_.ledger) {
    products.insert(key.first);
    if (key.second == domain::kOpening) {
      continue;
    }
    const std::string identity = key_text(key.first, key.second);
    if (!orders.contains(identity)) {
      broken("nothing is decided that was not asked", identity);
    }
    decided.erase(identity);
  }
  if (!decided.empty()) {
    broken("every request is decided", *decided.begin());
  }
  on_commit(products);
  const auto asked = std::ranges::count_if(
      tables_.requests, [](const auto& request) { return request.second.id.has_value(); });
  const auto added = tables_.items.size() - initial.items.size() - static_cast<std::size_t>(asked);
  if (is_clean_ ? added != anonymous : added < anonymous) {
    broken("a request without identity adds an item, and where nothing fails only one",
           fmt::format("{} for {}", added, anonymous));
  }
}

void Checks::on_drained_alone(const Tables& initial) {
  // Other flows change the stock concurrently, in an unknown order.
  const bool has_others = std::ranges::any_of(requests_, [](const auto& request) {
    return request.second.kind != Kind::order && request.second.kind != Kind::item;
  });
  if (has_others) return;
  // A product that is added later may exist at an order or not; so what an order with it takes of
  // other products is also uncertain.
  std::set<domain::ProductId> uncertain;
  const auto is_certain = [&](const Request& request) {
    return std::ranges::none_of(request.products, [&](auto product) {
      return uncertain.contains(product) || !initial.items.contains(product);
    });
  };
  for (bool has_grown = true; has_grown;) {
    const std::size_t size = uncertain.size();
    for (const auto& [number, request] : requests_) {
      if (request.is_order() && request.command && !is_certain(request)) {
        uncertain.insert(request.products.begin(), request.products.end());
      }
    }
    has_grown = uncertain.size() > size;
  }
  domain::MemoryTables alone;
  for (const auto& [id, item] : initial.items) {
    alone.stock[id] = {item.quantity};
  }
  for (const auto number : received_) {
    const Request& request = requests_.at(number);
    if (!request.is_order() || !request.command) {
      continue;
    }
    if (is_certain(request)) alone.decide(std::span(&*request.command, 1));
  }
  for (const auto& [key, decision] : alone.ledger) {
    const auto entry = tables_.ledger.find(key);
    if (!uncertain.contains(key.first) &&
        (entry == tables_.ledger.end() || entry->second.outcome != decision.outcome ||
         entry->second.quantity != decision.quantity)) {
      broken("orders for a product are decided in the order in which they arrived",
             fmt::format("product {}, {}", key.first, key.second));
    }
  }
}

}  // namespace inventory::simulation
