#include "event_model.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <variant>

#include <fmt/format.h>

#include "checks.h"
#include "contract/timestamp.h"

namespace inventory::simulation {
namespace {

using domain::ProductId;
using domain::Stock;

constexpr std::string_view kTime = R"("time":")";

std::string_view level(const Stock& stock) {
  if (stock.quantity == 0) return "out";
  return stock.low_stock && stock.quantity <= *stock.low_stock ? "low" : "in";
}

std::string stock_id(ProductId product, std::int64_t version) {
  return fmt::format("{}-{}", product, version);
}

// The event as it is published, without its time.
std::string text_of(std::string_view id, std::string_view type, ProductId product,
                    std::string_view data) {
  return fmt::format(R"({{"specversion":"1.0","id":"{}","source":"inventory-service","type":"{}",)"
                     R"("subject":"{}",{}","datacontenttype":"application/json","data":{}}})",
                     id, type, product, kTime, data);
}

// Whether the decision is kept, so that a repeated request is recognized.
bool is_kept(domain::Outcome outcome) {
  return !domain::row_of(outcome).word.empty() || outcome == domain::Outcome::item_added ||
         outcome == domain::Outcome::product_exists;
}

std::string identity_of(const domain::Order& order) { return order.ledger_identity(); }
std::string identity_of(const domain::Basket& basket) { return basket.ledger_identity(); }
std::string identity_of(const domain::Cancellation& one) { return one.order_ledger_identity(); }
std::string identity_of(const domain::Confirmation& one) { return one.order_ledger_identity(); }
std::string identity_of(const domain::Expiry& expiry) { return expiry.identity; }
std::string identity_of(const domain::Adjustment& one) { return one.ledger_identity(); }
std::string identity_of(const domain::NewItem& item) { return item.identity.value_or(""); }

void raise(std::map<ProductId, std::int64_t>& versions, ProductId product, std::int64_t version) {
  auto& highest = versions.try_emplace(product, version).first->second;
  highest = std::max(highest, version);
}

Kind kind_of(const domain::Command& command) {
  using enum Kind;
  constexpr std::array kKinds{order, order, cancellation, confirmation, expiry, adjustment, item};
  static_assert(kKinds.size() == std::variant_size_v<domain::Command>);
  return kKinds.at(command.index());
}

}  // namespace

std::string EventModel::asked_by(const domain::Command& command) {
  const auto identity = std::visit([](const auto& one) { return identity_of(one); }, command);
  return identity.empty() ? "" : fmt::format("{} {}", row_of(kind_of(command)).name, identity);
}

void EventModel::on_waiting(const Request& request) {
  if (!request.asked.empty()) waiting_[request.asked].insert(&request);
}

void EventModel::on_acknowledged(const Request& request, const Life& process) {
  if (!telling_ || request.asked.empty()) return;
  waiting_[request.asked].erase(&request);
  const auto see = [&](std::string_view event, ProductId product, const Askers& askers) {
    if (!askers.contains(request.asked) || is_anyone_waiting(askers, product)) return;
    broken_("a request is acknowledged only after its events are confirmed",
            fmt::format("request {}, event {}", request.number, event));
  };
  for (const auto& [product, debts] : stock_debts_) {
    for (const Debt& debt : debts) {
      if (debt.again_by != nullptr && debt.again_by != &process) continue;
      see(stock_id(product, debt.version), product, debt.askers);
    }
  }
  for (const auto& [id, askers] : other_debts_) see(id, events_.at(id).product, askers);
}

bool EventModel::is_anyone_waiting(const Askers& askers, ProductId product) const {
  return std::ranges::any_of(askers, [&](const std::string& asked) {
    const auto found = waiting_.find(asked);
    if (found == waiting_.end()) return false;
    return std::ranges::any_of(found->second, [&](const Request* request) {
      const auto& products = request->products;
      return products.empty() || std::ranges::find(products, product) != products.end();
    });
  });
}

void EventModel::on_committed(std::span<const domain::Command> commands,
                              std::span<const domain::Decision> decisions, const Stocks& before,
                              const Life& process) {
  if (!telling_) return;
  std::map<ProductId, Touched> touched;
  for (std::size_t at = 0; at < commands.size(); ++at) {
    const auto& [command, decision] = std::tie(commands[at], decisions[at]);
    const bool is_again = domain::is_replayed(decision);
    if (!is_again && !is_kept(domain::outcome_of(decision))) continue;
    const std::string asked = asked_by(command);
    for (const ProductId product : domain::products_of(command)) {
      if (!before.contains(product)) continue;  // it did not exist at the time of the decision
      Touched& one = touched[product];
      one.askers.insert(asked);
      if (is_again) one.again.insert(asked);
    }
    if (const auto* item = std::get_if<domain::NewItem>(&command)) {
      see_item(*item, std::get<domain::ItemDecision>(decision));
    } else if (const auto* expiry = std::get_if<domain::Expiry>(&command)) {
      see_expiry(*expiry, std::get<domain::ExpiryDecision>(decision));
    }
  }
  for (const auto& [product, one] : touched) {
    see_stock(product, one, before.at(product), process);
  }
}

// An item's event shows its initial state, also if the request is repeated. So does that of its
// stock, if the service has chosen the id.
void EventModel::see_item(const domain::NewItem& request, const domain::ItemDecision& decision) {
  if (domain::outcome_of(decision) != domain::Outcome::item_added) return;
  const domain::Item& item = decision.item;
  const auto description = item.description ? fmt::format(R"("{}")", *item.description) : "null";
  const std::string id = fmt::format("{}-added", item.id);
  const std::string asked = asked_by(request);
  owe(id, asked,
      {.routing_key = "item.added",
       .text = text_of(
           id, "inventory.item.added", item.id,
           fmt::format(R"({{"id":{},"quantity":{},"description":{},"created_at":"{}"}})", item.id,
                       item.quantity, description, contract::format_timestamp(item.created_at))),
       .product = item.id,
       .version = std::nullopt});
  if (!request.chosen_id) {
    owe_stock(item.id, {item.quantity, 0, item.low_stock}, {asked}, nullptr);
  }
}

void EventModel::see_expiry(const domain::Expiry& expiry, const domain::ExpiryDecision& decision) {
  const auto entry = tables_.ledger.find({expiry.product, "x" + expiry.identity});
  if (entry == tables_.ledger.end() || entry->second.delta == 0) return;
  const std::string id = fmt::format("{}-{}-expired", expiry.product, *entry->second.version);
  const std::string order = expiry.identity.substr(1);
  owe(id, asked_by(expiry),
      {.routing_key = "hold.expired",
       .text = text_of(
           id, "inventory.hold.expired", expiry.product,
           fmt::format(R"({{"order_id":{},"product_id":{},"quantity":{}}})",
                       expiry.identity.starts_with('i') ? order : fmt::format(R"("{}")", order),
                       expiry.product, decision.quantity)),
       .product = expiry.product,
       .version = std::nullopt});
}

void EventModel::see_stock(ProductId product, const Touched& touched,
                           const std::optional<Stock>& before, const Life& process) {
  const domain::Item& item = tables_.items.at(product);
  const auto version = tables_.versions.find(product);
  const Stock after{.quantity = item.quantity,
                    .version = version == tables_.versions.end() ? 0 : version->second,
                    .low_stock = item.low_stock};
  // The event of a repeated request shows the current state. If other requests cause the same
  // event, they also owe what it owed.
  for (Debt& debt : stock_debts_[product]) {
    const bool comes_again = std::ranges::any_of(
        touched.again, [&](const std::string& asked) { return debt.askers.contains(asked); });
    if (comes_again) debt.askers.insert(touched.askers.begin(), touched.askers.end());
  }
  const bool is_news = !before || is_worth_telling(*before, after);
  if (is_news || !touched.again.empty()) {
    owe_stock(product, after, touched.askers, is_news ? nullptr : &process);
  }
}

bool EventModel::is_worth_telling(const Stock& before, const Stock& after) const {
  return *telling_ == domain::Telling::all ? before.quantity != after.quantity
                                           : level(before) != level(after);
}

void EventModel::owe_stock(ProductId product, const Stock& stock, const Askers& askers,
                           const Life* again_by) {
  const std::string id = stock_id(product, stock.version);
  events_.try_emplace(
      id, Event{.routing_key = fmt::format("stock.{}", level(stock)),
                .text = text_of(
                    id, "inventory.stock", product,
                    fmt::format(R"({{"product_id":{},"quantity":{},"level":"{}","version":{}}})",
                                product, stock.quantity, level(stock), stock.version)),
                .product = product,
                .version = stock.version});
  const bool is_anonymous = askers.contains("");
  if (is_anonymous && !is_clean_) return;
  raise(owed_versions_, product, stock.version);
  const auto confirmed = confirmed_versions_.find(product);
  const bool is_paid = confirmed != confirmed_versions_.end() && confirmed->second >= stock.version;
  if (!is_anonymous && !is_paid) {
    stock_debts_[product].push_back({stock.version, askers, again_by});
  }
}

// A repeated request without identity is not recognized, so its event may be missing.
void EventModel::owe(std::string id, std::string asked, Event event) {
  if (!asked.empty() || is_clean_) owed_.insert(id);
  const auto& known = events_.try_emplace(id, std::move(event)).first->second;
  if (!asked.empty() && !known.is_confirmed) other_debts_[std::move(id)].insert(std::move(asked));
}

void EventModel::on_published(const amqp::Message& event) {
  if (!telling_) {
    broken_("where there are to be no events there is none", event.body);
    return;
  }
  const auto known = events_.find(event.properties.message_id.value_or(""));
  if (known == events_.end()) {
    broken_("an event tells what has changed and is committed, or comes again", event.body);
    return;
  }
  std::string text = event.body;
  const auto time = text.find(kTime);
  constexpr std::size_t kTimeSize = 32;
  bool has_time = false;
  if (time != std::string::npos) {
    has_time = contract::parse_timestamp(text.substr(time + kTime.size(), kTimeSize)).has_value();
    text.erase(time + kTime.size(), kTimeSize);
  }
  if (!has_time || text != known->second.text || event.routing_key != known->second.routing_key) {
    broken_("an event says what there was, under its routing key",
            fmt::format("{} {} instead of {} {}", event.routing_key, event.body,
                        known->second.routing_key, known->second.text));
  }
  if (event.exchange != kExchange || event.mandatory || event.properties.delivery_mode != 2 ||
      event.properties.content_type != "application/cloudevents+json") {
    broken_("an event is a persistent CloudEvent to the exchange", event.body);
  }
}

void EventModel::on_told(const std::string& id) {
  const auto known = events_.find(id);
  if (known == events_.end()) return;  // on_published() has reported it
  Event& event = known->second;
  ++told_;
  told_again_ += std::exchange(event.is_told, true) ? 1 : 0;
  if (event.version) raise(told_versions_, event.product, *event.version);
}

void EventModel::on_confirmed(const std::string& id) {
  const auto known = events_.find(id);
  if (known == events_.end()) return;
  Event& event = known->second;
  event.is_confirmed = true;
  if (event.version) {
    raise(confirmed_versions_, event.product, *event.version);
    std::erase_if(stock_debts_[event.product],
                  [&](const Debt& debt) { return debt.version <= *event.version; });
  } else {
    other_debts_.erase(id);
  }
}

void EventModel::on_drained() {
  for (const auto& [product, version] : owed_versions_) {
    const auto told = told_versions_.find(product);
    if (told == told_versions_.end() || told->second < version) {
      broken_("a change is followed by an event with that state or a later one",
              stock_id(product, version));
    }
  }
  for (const std::string& id : owed_) {
    if (!events_.at(id).is_told) {
      broken_("a hold that was given back and an item that was added are told", id);
    }
  }
}

}  // namespace inventory::simulation
