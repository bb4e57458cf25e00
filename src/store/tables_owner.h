#pragma once

// Whose tables they are: those of an undivided stock, or those of one partition. They say it by the
// name in the row of inventory_migration whose version is 0; an undivided stock has no such row.

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "domain/partition.h"

namespace inventory::store {

// What a program takes the tables for.
struct TablesOwner {
  std::optional<domain::Partition> partition = std::nullopt;  // nothing: an undivided stock
  // Made for rows that are copied from an undivided stock; until they are, no service decides.
  bool is_being_filled = false;

  friend bool operator==(const TablesOwner&, const TablesOwner&) = default;
};

inline std::string display(const domain::Partition& partition) {
  return fmt::format("partition {} of {}", partition.number, partition.count);
}

inline std::string partition_name(const domain::Partition& partition) {
  return fmt::format("partition {}/{}", partition.number, partition.count);
}

inline constexpr std::string_view kBeingFilled = ", being filled";
inline constexpr std::string_view kMovedInto = "moved into ";

// The name that the row has; nothing: there is none.
inline std::optional<std::string> owner_name(const TablesOwner& owner) {
  if (!owner.partition) return std::nullopt;
  return partition_name(*owner.partition).append(owner.is_being_filled ? kBeingFilled : "");
}

// The undivided stock's name once its rows are in partitions.
inline std::string moved_name(std::uint32_t count) {
  return fmt::format("{}{} partitions", kMovedInto, count);
}

// Why they are not what the program takes them for; empty if they are.
inline std::string why_not_of(const TablesOwner& owner, const std::optional<std::string>& name) {
  if (name == owner_name(owner)) return "";
  const std::string wanted =
      owner.partition ? display(*owner.partition) : std::string("an undivided stock");
  if (!name) return "the tables are those of an undivided stock, not of " + wanted;
  if (name->starts_with(kMovedInto)) {
    return fmt::format("the stock was {}: --partition says which is meant", *name);
  }
  if (name->ends_with(kBeingFilled)) {
    return fmt::format(
        "the tables are those of {}: migrate --from-undivided has not finished, start it again",
        *name);
  }
  return fmt::format("the tables are those of {}, not of {}: see --partition", *name, wanted);
}

}  // namespace inventory::store
