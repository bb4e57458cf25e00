#include "contract/event.h"

#include <variant>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/timestamp.h"
#include "domain/order.h"

namespace inventory::contract {
namespace {

// `data` is a JSON object; the other texts need no escapes.
Event event(Topic topic, std::string_view type, domain::ProductId product, std::string id,
            domain::Timestamp now, std::string_view data) {
  auto body =
      fmt::format(R"({{"specversion":"1.0","id":"{}","source":"inventory-service","type":"{}",)"
                  R"("subject":"{}","time":"{}","datacontenttype":"application/json","data":{}}})",
                  id, type, product, format_timestamp(now), data);
  return {.topic = topic, .id = std::move(id), .body = std::move(body)};
}

void append_id(std::string& json, std::string_view member, const domain::OrderId& id) {
  json += fmt::format(R"("{}":)", member);
  if (const auto* number = std::get_if<std::int64_t>(&id.value())) {
    json += fmt::to_string(*number);
  } else {
    append_json_string(json, std::get<std::string>(id.value()));
  }
  json += ',';
}

}  // namespace

Event stock_event(domain::ProductId product, const domain::Stock& stock, domain::Timestamp now) {
  constexpr std::array<std::string_view, 3> kLevels{"out", "low", "in"};
  constexpr std::array kTopics{Topic::stock_out, Topic::stock_low, Topic::stock_in};
  const auto level = static_cast<std::size_t>(domain::level_of(stock));
  return event(kTopics.at(level), "inventory.stock", product,
               fmt::format("{}-{}", product, stock.version), now,
               fmt::format(R"({{"product_id":{},"quantity":{},"level":"{}","version":{}}})",
                           product, stock.quantity, kLevels.at(level), stock.version));
}

Event expired_event(const domain::Expiry& expiry, domain::Quantity quantity, std::int64_t version,
                    domain::Timestamp now) {
  std::string data = "{";
  if (const auto name = domain::read_order_identity(expiry.identity)) {
    append_id(data, "order_id", name->id);
    if (name->line) append_id(data, "line_id", *name->line);
  }
  data += fmt::format(R"("product_id":{},"quantity":{}}})", expiry.product, quantity);
  return event(Topic::hold_expired, "inventory.hold.expired", expiry.product,
               fmt::format("{}-{}-expired", expiry.product, version), now, data);
}

Event added_event(const domain::Item& item, domain::Timestamp now) {
  std::string data =
      fmt::format(R"({{"id":{},"quantity":{},"description":)", item.id, item.quantity);
  if (item.description) {
    append_json_string(data, *item.description);
  } else {
    data += "null";
  }
  data += fmt::format(R"(,"created_at":"{}"}})", format_timestamp(item.created_at));
  return event(Topic::item_added, "inventory.item.added", item.id, fmt::format("{}-added", item.id),
               now, data);
}

}  // namespace inventory::contract
