#include "router/route.h"

#include <array>
#include <utility>
#include <variant>

#include "contract/headers.h"
#include "contract/item_message.h"
#include "domain/command.h"
#include "domain/partition.h"
#include "service/adjustments.h"
#include "service/cancellations.h"
#include "service/confirmations.h"
#include "service/items.h"
#include "service/orders.h"

namespace inventory::router {
namespace {

namespace headers = contract::headers;

constexpr std::uint32_t kRefusesWhatIsInvalid = 0;

template <class Kind>
Route choose(const amqp::Delivery& request, std::size_t bytes_max, std::uint32_t partitions) {
  const auto message = Kind::read(request, bytes_max);
  if (request.undecodable || Kind::error(message) != nullptr) return {kRefusesWhatIsInvalid};
  const domain::Command command = Kind::command(message, request, {});
  auto products = domain::products_of(command);
  if (!products.empty()) {
    const auto partition = domain::partition_of(products.front(), partitions);
    return {partition, std::move(products)};
  }
  if (!std::holds_alternative<domain::NewItem>(command)) return {std::nullopt};
  return {contract::item_partition(request.properties.message_id, request.properties.correlation_id,
                                   partitions)};
}

constexpr std::array kRoutedKinds{
    RoutedKind{"order", &choose<service::Orders>},
    RoutedKind{"item", &choose<service::Items>},
    RoutedKind{"cancellation", &choose<service::Cancellations>},
    RoutedKind{"confirmation", &choose<service::Confirmations>},
    RoutedKind{"adjustment", &choose<service::Adjustments>},
};

}  // namespace

std::span<const RoutedKind> routed_kinds() { return kRoutedKinds; }

amqp::Message pass_on(const amqp::Delivery& request, std::string queue, std::string_view user) {
  amqp::Message message{.routing_key = std::move(queue),
                        .properties = request.properties,
                        .body = request.body,
                        .mandatory = true,
                        .keeps_properties = true};
  amqp::Properties& properties = message.properties;
  amqp::HeaderTable table = properties.headers.value_or(amqp::HeaderTable());
  table.remove(headers::kDeliveryCount);
  table.remove(headers::kAcquiredCount);
  table.rename(headers::kCc, headers::kOriginalCc);
  table.rename(headers::kBcc, headers::kOriginalBcc);
  if (properties.user_id && *properties.user_id != user) {
    table.add_string(headers::kOriginalUserId, *properties.user_id);
    properties.user_id.reset();
  }
  if (request.undecodable) table.add_string(headers::kUndecodable, *request.undecodable);
  // A table that came empty stays an empty table.
  const bool had_entries = properties.headers && !properties.headers->empty();
  if (!table.empty()) {
    properties.headers = std::move(table);
  } else if (had_entries) {
    properties.headers.reset();
  }
  return message;
}

}  // namespace inventory::router
