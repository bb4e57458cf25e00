#pragma once

// The owner of the tables: an undivided stock, or one partition. It is recorded as the name in the
// row of inventory_migration with version 0; an undivided stock has no such row.

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "domain/partition.h"

namespace inventory::store {

// The owner that a program expects.
struct TablesOwner {
  std::optional<domain::Partition> partition = std::nullopt;  // empty: an undivided stock
  // The tables are being filled with rows of an undivided stock; until then no service decides.
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

// The name in the row; empty if there is no row.
inline std::optional<std::string> owner_name(const TablesOwner& owner) {
  if (!owner.partition) return std::nullopt;
  return partition_name(*owner.partition).append(owner.is_being_filled ? kBeingFilled : "");
}

// The name in the undivided stock's row once its rows are in partitions.
inline std::string moved_name(std::uint32_t count) {
  return fmt::format("{}{} partitions", kMovedInto, count);
}

// Why the tables are not the expected owner's; empty if they are.
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
