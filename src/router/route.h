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

// What of a request says where it goes.
struct Route {
  // Nothing: it may go anywhere, and its sender does not care about order.
  std::optional<std::uint32_t> partition;
  // Between requests for one product order is kept. Empty: it is for none that is known.
  std::vector<domain::ProductId> products = {};

  friend bool operator==(const Route&, const Route&) = default;
};

// The partition of the product; of several, if they lie in different ones, of the first: that one
// refuses the request. A new item that may have any id goes where its identity says, so that it
// comes to the same partition each time. What is no valid request goes to partition 0, which
// answers and dead-letters it.
using Choose = Route (*)(const amqp::Delivery& request, std::size_t bytes_max,
                         std::uint32_t partitions);

// A kind of request that is routed. Expiries are not: each partition has its own.
struct RoutedKind {
  std::string_view name;  // as in service/kinds.h
  Choose choose;
};
std::span<const RoutedKind> routed_kinds();

// The request as it came, to be published to `queue`. But for what would act on the way:
//   - the headers CC and BCC, for which the broker would deliver copies, and a user_id other than
//     `user`, which the broker refuses, are kept under other names (service/answer.h);
//   - the broker's own counts of deliveries from the former queue are left out;
//   - content that cannot be decoded has the header that says why (contract/headers.h).
amqp::Message pass_on(const amqp::Delivery& request, std::string queue, std::string_view user);

}  // namespace inventory::router
