#pragma once

// What `order`, `confirm` and `cancel` have in common: reads the order and its items from the
// options, and writes the body of the request.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "contract/order_parts.h"
#include "domain/order.h"

namespace inventory::cli {

struct OrderRequest {
  domain::OrderId order_id;
  std::optional<domain::OrderId> line_id;
  std::vector<contract::RequestedItem> items;  // 1 to contract::kItemsMax
  bool is_list = false;                        // sent as `items`, even if it is only one
  std::optional<std::chrono::seconds> hold;    // 1 s to domain::kHoldSecondsMax
  std::chrono::seconds timeout;                // 1 s to 1 h
};

// Whether an item needs its quantity.
enum class Quantities : std::uint8_t { required, optional };

// If `quantities` are required, it is a new order: it may be a hold, and without an id it gets a
// new UUID.
std::expected<OrderRequest, std::string> read_order_request(const Arguments& given,
                                                            Quantities quantities);

std::string body_of(const OrderRequest& request);
std::vector<domain::ProductId> ordered_products(const OrderRequest& request);

// --product-id, --quantity, --item, --order-id, --line-id, --hold of a new order, --timeout.
std::vector<Option> order_request_options(Quantities quantities);

}  // namespace inventory::cli
