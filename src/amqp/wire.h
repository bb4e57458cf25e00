#pragma once

// Integers in AMQP's byte order: most significant byte first (AMQP 0-9-1, 4.2.5.1).

#include <bit>
#include <concepts>
#include <cstring>
#include <string>

namespace amqp {

template <std::unsigned_integral T>
T to_wire_order(T value) {
  if constexpr (std::endian::native == std::endian::little) {
    return std::byteswap(value);
  } else {
    return value;
  }
}

// bytes: at least sizeof(T).
template <std::unsigned_integral T>
T read_integer(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return to_wire_order(value);
}

template <std::unsigned_integral T>
void write_integer(char* bytes, T value) {
  const T ordered = to_wire_order(value);
  std::memcpy(bytes, &ordered, sizeof ordered);
}

template <std::unsigned_integral T>
void append_integer(std::string& out, T value) {
  const T ordered = to_wire_order(value);
  out.append(reinterpret_cast<const char*>(&ordered), sizeof ordered);
}

}  // namespace amqp
