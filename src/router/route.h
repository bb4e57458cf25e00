#pragma once

// Route: to which partition a request goes, and as what message. Pure.
//
// Requests are read by the service's own parsers, so that routing and deciding never disagree.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "domain/ledger.h"

namespace inventory::router {

// Where a request goes, and with which others it keeps its order.
struct Route {
  // Empty: it may go anywhere, in any order.
  std::optional<std::uint32_t> partition;
  // Requests for one product keep their order. Empty: no product is known.
  std::vector<domain::ProductId> products = {};

  friend bool operator==(const Route&, const Route&) = default;
};

// Chooses the partition of the product; if several products lie in different partitions, that of
// the first, which refuses the request. A new item without a chosen id goes where
// contract::item_partition() says. An invalid request goes to partition 0, which answers and
// dead-letters it.
using Choose = Route (*)(const amqp::Delivery& request, std::size_t bytes_max,
                         std::uint32_t partitions);

// A kind of request that is routed. Expiries are not: each partition has its own.
struct RoutedKind {
  std::string_view name;  // as in service/kinds.h
  Choose choose;
};
std::span<const RoutedKind> routed_kinds();

// The request as it came, to be published to `queue`, except for what would act on the way:
//   - the headers CC and BCC, for which the broker would deliver copies, and a user_id other than
//     `user`, which the broker refuses, are kept under other names (service/answer.h);
//   - the broker's own counts of deliveries from the former queue are left out;
//   - a request that cannot be decoded gets a header that says why (contract/headers.h).
amqp::Message pass_on(const amqp::Delivery& request, std::string queue, std::string_view user);

}  // namespace inventory::router
