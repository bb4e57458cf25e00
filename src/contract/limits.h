#pragma once

// Limits of the contents of messages (docs/contract.md).

#include <cstddef>
#include <cstdint>

namespace inventory::contract {

inline constexpr std::int64_t kIntegerMax = 9'007'199'254'740'991;  // 2^53 - 1
inline constexpr std::size_t kOrderIdBytesMax = 128;                // of UTF-8
inline constexpr std::size_t kItemsMax = 100;                       // of an order
inline constexpr std::size_t kReasonBytesMax = 200;                 // of an adjustment; of UTF-8
inline constexpr std::size_t kDescriptionBytesMax = 10'000;         // of UTF-8

}  // namespace inventory::contract
