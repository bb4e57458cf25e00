#include "checks.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "contract/item_message.h"
#include "contract/order_message.h"
#include "domain/memory_tables_for_test.h"
#include "service/answer.h"

namespace inventory::simulation {
namespace {

constexpr std::string_view kTraceHeader = "traceparent";
constexpr std::string_view kRefused = "the database refuses it";

// A silent queue's replies are kept after half a minute. In a calm world nothing else takes long.
constexpr Time kKeptMax = seconds(45);

std::string identity_of(const domain::Order& order) {
  return fmt::format("{} {}", order.product, order.ledger_identity());
}

}  // namespace

void Checks::broken(std::string_view promise, std::string_view how) {
  if (!violation_) {
    violation_ = fmt::format("{}: {}", promise, how);
  }
}

Request& Checks::add(bool is_order, amqp::Properties properties, std::string body,
                     std::optional<std::string> undecodable) {
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
                  .undecodable = std::move(undecodable),
                  .since = scheduler_.now(),
                  .identity = {}};
  if (is_order) {
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    request.is_refused =
        request.undecodable || !message.order || message.order->id.display().starts_with(kPoison);
    if (message.order) {
      request.product = message.order->product;
    }
    if (!request.is_refused) {
      request.identity = identity_of(*message.order);
    }
  } else {
    const auto message = contract::read_item(request.body, kBodyBytesMax);
    request.is_refused = request.undecodable || message.error.has_value();
    request.product = message.product_id.value_or(0);
    if (!request.is_refused) {
      request.identity =
          contract::item_identity(request.properties.message_id, request.properties.correlation_id);
      request.adds_unseen = !request.identity && !message.product_id;
    }
  }
  return requests_.emplace(number, std::move(request)).first->second;
}

std::string Checks::reply_queue(const Request& request) {
  const auto& reply_to = request.properties.reply_to;
  if (reply_to && !reply_to->empty()) return *reply_to;
  return std::string(request.is_order ? kOrderReplies : kItemReplies);
}

// Also of one that is not valid for another reason: it costs nothing to wait for it.
bool Checks::is_bad_product(const Request& request) const {
  if (bad_products_.contains(request.product)) return true;
  return !request.is_order && are_items_bad_ &&
         contract::read_item(request.body, kBodyBytesMax).quantity == kBadItemQuantity;
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
  const std::string dead_letters =
      service::dead_letter_queue(request->is_order ? kOrderQueue : kItemQueue);
  const bool is_dead_letter = message.routing_key == dead_letters;
  const bool is_kept = message.routing_key.ends_with(".undelivered");
  if (!has_queue) {
    if (is_dead_letter || is_kept) return;  // comes again
    check_wait(*request);
    ++request->undeliverable_replies;
    ++undeliverable_replies_;
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
    if (!is_bad_product(request)) {
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

// What its client's queue did not take.
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
  const auto expected = expected_reply(request);
  if (!is_refusal(request, reply.body) && expected && reply.body != *expected) {
    broken("a reply says what was decided",
           fmt::format("request {}: {} instead of {}", request.number, reply.body, *expected));
  }
}

// In a calm world, at once; and at most once more for each bad thing of a client.
void Checks::check_wait(const Request& request) {
  if (!is_calm_ || !is_good(request)) {
    return;
  }
  const auto copies = request.replies + request.undeliverable_replies;
  if (copies > 1 + bad_queues_.size()) {
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
  const std::string key =
      fmt::format("{} {} {}", request.is_order ? "order" : "item",
                  request.is_order ? request.body : request.identity.value_or(request.body),
                  request.undecodable.value_or(""));
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
  as_added.quantity = tables_.ledger.at({id, std::string(domain::kOpening)}).quantity;
  if (body != contract::item_reply({.item = as_added})) {
    broken("a reply says what was decided", body);
  }
  if (anonymous_items_.emplace(id, request.number).first->second != request.number) {
    broken("an item is added for one request", body);
  }
}

// That one which has failed for too long is told so.
bool Checks::is_refusal(const Request& request, const std::string& body) const {
  if (request.is_refused || !is_bad_product(request)) {
    return false;
  }
  return body == (request.is_order
                      ? contract::invalid_order_reply(
                            contract::read_order(request.body, kBodyBytesMax), kRefused)
                      : contract::invalid_item_reply(
                            contract::read_item(request.body, kBodyBytesMax), kRefused));
}

std::optional<std::string> Checks::expected_reply(const Request& request) const {
  const auto undecodable =
      request.undecodable ? std::optional("the message cannot be decoded: " + *request.undecodable)
                          : std::nullopt;
  if (request.is_order) {
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    if (undecodable) {
      return contract::invalid_order_reply(message, *undecodable);
    }
    if (!message.order) {
      return contract::invalid_order_reply(message, message.order.error().what);
    }
    if (request.is_refused) {
      return contract::invalid_order_reply(message, kRefused);
    }
    const domain::Order& order = *message.order;
    const auto entry = tables_.ledger.find({order.product, order.ledger_identity()});
    if (entry == tables_.ledger.end()) {
      return std::nullopt;
    }
    domain::OrderDecision decision{.outcome = entry->second.outcome};
    if (entry->second.quantity != order.quantity) {
      decision.conflicts_with = entry->second.quantity;
    }
    return contract::order_reply(message, decision);
  }
  const auto message = contract::read_item(request.body, kBodyBytesMax);
  if (undecodable) {
    return contract::invalid_item_reply(message, *undecodable);
  }
  if (message.error) {
    return contract::invalid_item_reply(message, message.error->what);
  }
  if (!request.identity && message.product_id) {  // of a product that was there all the time
    return contract::item_reply(
        {.item = {0, *message.quantity, message.description, {}}, .is_taken = true});
  }
  const auto item = tables_.requests.find(request.identity.value_or(""));
  if (item == tables_.requests.end()) {
    return std::nullopt;
  }
  const domain::ItemAnswer& answer = item->second;
  domain::ItemDecision decision{.item = {answer.id.value_or(0), answer.quantity, answer.description,
                                         answer.created_at, answer.low_stock},
                                .is_taken = !answer.id};
  return contract::item_reply(decision);
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
  if (is_calm_ && !is_bad_product(request) && after > kKeptMax) {
    broken("what a client's queue does not take is kept or given up soon", how());
  }
  if (!request.adds_unseen && !expected_reply(request) &&
      !(dead_letter_is_settled && request.refusals > 0)) {
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

// While one waits that was put aside, those behind it for its product wait too. It may have been
// refused before the later one was decided: then it is not decided itself any more.
void Checks::on_decided(Arrivals& arrivals, std::uint64_t epoch,
                        const std::map<domain::LedgerKey, domain::LedgerEntry>& entries) {
  if (arrivals.epoch != epoch) {
    return;
  }
  for (const auto& [key, entry] : entries) {
    const std::string identity = fmt::format("{} {}", key.first, key.second);
    std::vector<const Request*> before;
    bool was_overtaken = false;
    bool is_found = false;
    for (const Request* const request : arrivals.received) {
      if (request->product != key.first || !request->identity) continue;
      if (*request->identity != identity) {
        before.push_back(request);
        continue;
      }
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
      const auto space = request->identity->find(' ') + 1;
      if (!tables_.ledger.contains({key.first, request->identity->substr(space)})) {
        arrivals.overtaken.insert(request);
      }
    }
  }
}

void Checks::on_drained(const Tables& initial) {
  std::set<std::string> orders;   // that were asked
  std::set<std::string> decided;  // of them, that must have been
  std::uint64_t anonymous = 0;
  for (const auto& [number, request] : requests_) {
    if (!request.is_answered()) {
      broken("every request is answered", fmt::format("request {}: {}", number, request.body));
    }
    if (request.is_refused && request.dead_letters == 0) {
      broken("what can never be processed becomes a dead letter", request.body);
    }
    if (request.is_order && request.identity) {
      orders.insert(*request.identity);
      if (request.refusals == 0) decided.insert(*request.identity);
    }
    anonymous += request.adds_unseen && request.refusals == 0 ? 1 : 0;
  }
  std::set<domain::ProductId> products;
  for (const auto& [key, entry] : tables_.ledger) {
    products.insert(key.first);
    if (key.second == domain::kOpening) {
      continue;
    }
    const std::string identity = fmt::format("{} {}", key.first, key.second);
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
  const auto added =
      tables_.items.size() - initial.items.size() - static_cast<std::size_t>(asked);
  if (is_clean_ ? added != anonymous : added < anonymous) {
    broken("a request without identity adds an item, and where nothing fails only one",
           fmt::format("{} for {}", added, anonymous));
  }
}

void Checks::on_drained_alone(const Tables& initial) {
  domain::MemoryTables alone;
  for (const auto& [id, item] : initial.items) {
    alone.stock[id] = {item.quantity};
  }
  for (const auto number : received_) {
    const Request& request = requests_.at(number);
    if (!request.is_order || !request.identity) {
      continue;
    }
    const auto message = contract::read_order(request.body, kBodyBytesMax);
    alone.decide(std::vector<domain::Command>{*message.order});
  }
  for (const auto& [key, decision] : alone.ledger) {
    const auto entry = tables_.ledger.find(key);
    if (initial.items.contains(key.first) &&
        (entry == tables_.ledger.end() || entry->second.outcome != decision.outcome ||
         entry->second.quantity != decision.quantity)) {
      broken("orders for a product are decided in the order in which they arrived",
             fmt::format("product {}, {}", key.first, key.second));
    }
  }
}

}  // namespace inventory::simulation
