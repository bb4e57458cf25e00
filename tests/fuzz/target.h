#pragma once

// What a fuzz target is made of: libFuzzer's entry point, which each source defines, and promises
// that are checked in every build. An exception that leaves a target is a broken promise as well.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

// https://llvm.org/docs/LibFuzzer.html#fuzz-target
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace inventory::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Aborts if it does not hold; libFuzzer then keeps the input.
inline void promise(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "broken promise: {}\n", what);
  std::abort();
}

}  // namespace inventory::fuzz
