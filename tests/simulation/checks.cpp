#include "checks.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "contract/item_message.h"
#include "contract/order_message.h"
#include "service/answer.h"

namespace inventory::simulation {
namespace {

constexpr std::string_view kTraceHeader = "traceparent";

std::string identity_of(const domain::Order& order) {
  return fmt::format("{} {}", order.product, order.id.ledger_identity());
}

}  // namespace

void Checks::broken(std::string_view promise, std::string_view how) {
  if (!violation_) {
    violation_ = fmt::format("{}: {}", promise, how);
  }
}

Request& Checks::add(bool is_order, amqp::Properties properties, std::string body) {
  const std::uint64_t number = requests_.size() + 1;
  if (!properties.headers) {
    properties.headers.emplace();
  }
  properties.headers->add_string(kTraceHeader,
                                 fmt::format("00-{:032x}-{:016x}-01", number, number));
  Request request{.number = number,
                  .is_order = is_order,
                  .properties = std::move(properties),
                  .body = std::move(body),
                  .identity = {}};
  if (is_order) {
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    request.is_refused = !message.order || message.order->id.display().starts_with(kPoison);
    if (!request.is_refused) {
      request.identity = identity_of(*message.order);
    }
  } else {
    const auto message = contract::read_item(request.body, kBodyBytesMax);
    request.is_refused = message.error.has_value();
    if (!request.is_refused) {
      request.identity =
          contract::item_identity(request.properties.message_id, request.properties.correlation_id);
    }
  }
  return requests_.emplace(number, std::move(request)).first->second;
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
  const std::string dead_letters =
      service::dead_letter_queue(request->is_order ? kOrderQueue : kItemQueue);
  const bool is_dead_letter = message.routing_key == dead_letters;
  if (!has_queue) {
    request->undeliverable_replies += is_dead_letter ? 0 : 1;
    undeliverable_replies_ += is_dead_letter ? 0 : 1;
  } else if (is_dead_letter) {
    on_dead_letter(*request, message);
  } else {
    on_reply(*request, message);
  }
}

void Checks::on_dead_letter(Request& request, const amqp::Message& letter) {
  ++request.dead_letters;
  ++dead_letters_;
  if (!request.is_refused) {
    broken("only what can never be processed becomes a dead letter", request.body);
  }
  const amqp::HeaderTable headers = letter.properties.headers.value_or(amqp::HeaderTable());
  const auto reason = headers.find_string("error-reason");
  if (letter.body != request.body || !headers.find_string("error-message") ||
      reason != (request.body.size() > kBodyBytesMax ? "too-large" : "invalid")) {
    broken("a dead letter is the request as it came, with the reason", letter.body);
  }
}

void Checks::on_reply(Request& request, const amqp::Message& reply) {
  ++request.replies;
  ++replies_;
  const auto& reply_to = request.properties.reply_to;
  const std::string_view fallback = request.is_order ? kOrderReplies : kItemReplies;
  if (reply.routing_key != (reply_to && !reply_to->empty() ? *reply_to : fallback) ||
      reply.properties.correlation_id != request.properties.correlation_id) {
    broken("a reply goes to reply_to, with the request's correlation_id",
           fmt::format("request {} answered to {}", request.number, reply.routing_key));
  }
  const amqp::HeaderTable headers = reply.properties.headers.value_or(amqp::HeaderTable());
  const bool is_replayed = !headers.find_entry("idempotent-replayed").empty();
  replays_ += is_replayed ? 1 : 0;
  if (!request.is_order && !request.is_refused && !request.identity) {
    check_anonymous_item(request, reply.body);
    return;
  }
  check_decision(request, reply, is_replayed);
}

void Checks::check_decision(const Request& request, const amqp::Message& reply, bool is_replayed) {
  const auto expected = expected_reply(request);
  if (!expected) {
    broken("a request is answered only when its decision is committed",
           fmt::format("request {}, {}", request.number, reply.body));
    return;
  }
  if (reply.body != *expected) {
    broken("a reply says what was decided",
           fmt::format("request {}: {} instead of {}", request.number, reply.body, *expected));
  }
  const std::string key = request.is_order ? "order " + request.body
                                           : "item " + request.identity.value_or(request.body);
  const auto& first = reply_bodies_.emplace(key, reply.body).first->second;
  if (first != reply.body) {
    broken("a request is always answered the same",
           fmt::format("request {}: {} and {}", request.number, first, reply.body));
  }
  if (is_replayed || !request.identity || reply.body.contains("was already decided")) {
    return;
  }
  const auto decider = first_deciders_.emplace(
      (request.is_order ? "order " : "item ") + *request.identity, request.number);
  if (decider.first->second != request.number) {
    broken("an identity is decided once", fmt::format("{} by requests {} and {}", *request.identity,
                                                      decider.first->second, request.number));
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
  as_added.quantity = tables_.ledger.at({id, kOpening}).quantity;
  if (body != contract::item_reply({.item = as_added})) {
    broken("a reply says what was decided", body);
  }
  if (anonymous_items_.emplace(id, request.number).first->second != request.number) {
    broken("an item is added for one request", body);
  }
}

std::optional<std::string> Checks::expected_reply(const Request& request) const {
  if (request.is_order) {
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    if (!message.order) {
      return contract::invalid_order_reply(message, message.order.error().what);
    }
    if (request.is_refused) {
      return contract::invalid_order_reply(message, "the database refuses it");
    }
    const domain::Order& order = *message.order;
    const auto entry = tables_.ledger.find({order.product, order.id.ledger_identity()});
    if (entry == tables_.ledger.end()) {
      return std::nullopt;
    }
    domain::OrderDecision decision{.verdict = entry->second.verdict};
    if (entry->second.quantity != order.quantity) {
      decision.conflicts_with = entry->second.quantity;
    }
    return contract::order_reply(message, decision);
  }
  const auto message = contract::read_item(request.body, kBodyBytesMax);
  if (message.error) {
    return contract::invalid_item_reply(message, message.error->what);
  }
  const auto item = tables_.requests.find(request.identity.value_or(""));
  if (item == tables_.requests.end()) {
    return std::nullopt;
  }
  return contract::item_reply({.item = item->second});
}

void Checks::on_received(const Request& request) { received_.push_back(request.number); }

void Checks::on_acknowledge(const Request& request, bool reply_is_settled,
                            bool dead_letter_is_settled) {
  const auto how = [&] { return fmt::format("request {}: {}", request.number, request.body); };
  const bool is_anonymous = !request.is_order && !request.is_refused && !request.identity;
  if (!is_anonymous && !expected_reply(request)) {
    broken("nothing is acknowledged before its decision is committed", how());
  }
  if (!reply_is_settled) {
    broken("nothing is acknowledged before its reply is settled on that link", how());
  }
  if (request.is_refused && !dead_letter_is_settled) {
    broken("nothing is acknowledged before its dead letter is confirmed on that link", how());
  }
}

void Checks::on_commit(const std::set<domain::ProductId>& touched) {
  for (const auto product : touched) {
    domain::Quantity sum = 0;
    for (auto entry = tables_.ledger.lower_bound({product, ""});
         entry != tables_.ledger.end() && entry->first.first == product; ++entry) {
      sum += entry->second.delta;
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

void Checks::on_drained(const Tables& initial) {
  std::set<std::string> orders;
  std::uint64_t anonymous = 0;
  for (const auto& [number, request] : requests_) {
    if (request.replies + request.undeliverable_replies == 0) {
      broken("every request is answered", fmt::format("request {}: {}", number, request.body));
    }
    if (request.is_refused && request.dead_letters == 0) {
      broken("what can never be processed becomes a dead letter", request.body);
    }
    if (request.is_order && request.identity) {
      orders.insert(*request.identity);
    }
    anonymous += !request.is_order && !request.is_refused && !request.identity ? 1 : 0;
  }
  std::set<domain::ProductId> products;
  for (const auto& [key, entry] : tables_.ledger) {
    products.insert(key.first);
    if (key.second == kOpening) {
      continue;
    }
    if (orders.erase(fmt::format("{} {}", key.first, key.second)) == 0) {
      broken("nothing is decided that was not asked",
             fmt::format("product {}, {}", key.first, key.second));
    }
  }
  if (!orders.empty()) {
    broken("every request is decided", *orders.begin());
  }
  on_commit(products);
  const auto added = tables_.items.size() - initial.items.size() - tables_.requests.size();
  if (is_clean_ ? added != anonymous : added < anonymous) {
    broken("a request without identity adds an item, and where nothing fails only one",
           fmt::format("{} for {}", added, anonymous));
  }
}

void Checks::on_drained_alone(const Tables& initial) {
  domain::BatchView view;
  for (const auto& [id, item] : initial.items) {
    view.on_hand[id] = item.quantity;
  }
  for (const auto number : received_) {
    const Request& request = requests_.at(number);
    if (!request.is_order || !request.identity) {
      continue;
    }
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    const auto outcome = domain::decide_orders(std::span(&*message.order, 1), view);
    for (const auto& [product, quantity] : outcome.changed_stock) {
      view.on_hand[product] = quantity;
    }
    for (const auto& entry : outcome.new_entries) {
      view.decisions[entry.key] = {entry.verdict, entry.quantity};
    }
  }
  for (const auto& [key, decision] : view.decisions) {
    const auto entry = tables_.ledger.find(key);
    if (initial.items.contains(key.first) &&
        (entry == tables_.ledger.end() || entry->second.verdict != decision.verdict ||
         entry->second.quantity != decision.quantity)) {
      broken("orders for a product are decided in the order in which they arrived",
             fmt::format("product {}, {}", key.first, key.second));
    }
  }
}

}  // namespace inventory::simulation
