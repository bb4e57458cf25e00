#include "config/partition.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "config/settings.h"
#include "contract/partition_text.h"
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
  for (const QueueSettings& row : queue_settings()) {
    std::string& queue = one.*row.queue;
    if (!queue.empty()) queue = contract::partition_queue(queue, number);
  }
  one.database = in_partition(configuration.database, number);
  one.read_database = in_partition(configuration.read_database, number);
  one.partitions =
      Partitions{.count = configuration.partitions.value_or(Partitions()).count, .number = number};
  return one;
}

std::optional<domain::Partition> partition_of(const Configuration& configuration) {
  const auto& partitions = configuration.partitions;
  if (!partitions || !partitions->number) return std::nullopt;
  return domain::Partition{.number = *partitions->number, .count = partitions->count};
}

std::vector<std::string> request_queues(const Configuration& configuration) {
  std::vector<std::string> all;
  for (const Configuration& one : in_each_partition(configuration)) {
    std::ranges::move(one.request_queues(), std::back_inserter(all));
  }
  return all;
}

std::vector<Configuration> in_each_partition(const Configuration& configuration) {
  const auto& partitions = configuration.partitions;
  if (!partitions) return {configuration};
  if (partitions->number) return {in_partition(configuration, *partitions->number)};
  std::vector<Configuration> each;
  each.reserve(partitions->count);
  for (std::uint32_t number = 0; number < partitions->count; ++number) {
    each.push_back(in_partition(configuration, number));
  }
  return each;
}

std::expected<Configuration, std::string> in_partition_of(
    const Configuration& configuration, const std::vector<domain::ProductId>& products) {
  const auto& partitions = configuration.partitions;
  if (!partitions) return configuration;
  const std::uint32_t number =
      products.empty() ? 0 : domain::partition_of(products.front(), partitions->count);
  const domain::Partition partition{.number = partitions->number.value_or(number),
                                    .count = partitions->count};
  if (auto why = contract::why_not_in(partition, products); !why.empty()) {
    return std::unexpected(std::move(why));
  }
  return in_partition(configuration, partition.number);
}

}  // namespace inventory::config
