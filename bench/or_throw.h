#pragma once

// The benchmarks exit at the first error, with its text.

#include <exception>
#include <expected>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace inventory::bench {

template <class T, class Error>
T or_throw(std::expected<T, Error> result) {
  if (!result) {
    if constexpr (std::is_same_v<Error, std::string>) {
      throw std::runtime_error(result.error());
    } else {
      throw std::runtime_error(result.error().what);
    }
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}

inline void rethrow(const std::exception_ptr& error) {
  if (error) {
    std::rethrow_exception(error);
  }
}

}  // namespace inventory::bench
