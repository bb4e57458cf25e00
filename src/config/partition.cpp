#include "config/partition.h"

#include <string>
#include <variant>

#include <fmt/format.h>

#include "contract/queues.h"

namespace inventory::config {
namespace {

std::string with_number(std::string text, std::uint32_t number) {
  const std::string digits = std::to_string(number);
  for (std::size_t at = text.find(kPartitionPlaceholder); at != std::string::npos;
       at = text.find(kPartitionPlaceholder, at + digits.size())) {
    text.replace(at, kPartitionPlaceholder.size(), digits);
  }
  return text;
}

DatabaseUrl in_partition(const DatabaseUrl& database, std::uint32_t number) {
  if (const auto* sqlite = std::get_if<SqlitePath>(&database)) {
    return SqlitePath{with_number(sqlite->path, number)};
  }
  return PostgresUrl{.url = with_number(std::get<PostgresUrl>(database).url, number),
                     .schema = fmt::format("inventory_{}", number)};
}

}  // namespace

Configuration in_partition(const Configuration& configuration, std::uint32_t number) {
  Configuration one = configuration;
  for (std::string* queue : {&one.order_queue, &one.item_queue, &one.cancel_queue,
                             &one.confirm_queue, &one.adjust_queue, &one.expiry_queue}) {
    if (!queue->empty()) *queue = contract::partition_queue(*queue, number);
  }
  one.database = in_partition(configuration.database, number);
  one.read_database = in_partition(configuration.read_database, number);
  one.partitions = Partitions{.count = configuration.partitions->count, .number = number};
  return one;
}

}  // namespace inventory::config
