#pragma once

// Event: what the service publishes to subscribers (docs/contract.md, Events): a CloudEvent in JSON
// (CloudEvents 1.0.2, structured mode).
//
// Invariant: two events with the same id differ only in the time, which is when each was made.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "domain/expiry.h"
#include "domain/item.h"
#include "domain/news.h"
#include "domain/timestamp.h"

namespace inventory::contract {

inline constexpr std::string_view kEventContentType = "application/cloudevents+json";

enum class Topic : std::uint8_t { stock_out, stock_low, stock_in, hold_expired, item_added };

// By Topic.
inline constexpr std::array<std::string_view, 5> kRoutingKeys{"stock.out", "stock.low", "stock.in",
                                                              "hold.expired", "item.added"};

constexpr std::string_view routing_key(Topic topic) {
  return kRoutingKeys.at(static_cast<std::size_t>(topic));
}

struct Event {
  Topic topic;
  std::string id;
  std::string body;

  friend bool operator==(const Event&, const Event&) = default;
};

Event stock_event(domain::ProductId product, const domain::Stock& stock, domain::Timestamp now);

// `version` is that of the product when the stock was given back.
Event expired_event(const domain::Expiry& expiry, domain::Quantity quantity, std::int64_t version,
                    domain::Timestamp now);

Event added_event(const domain::Item& item, domain::Timestamp now);

}  // namespace inventory::contract
