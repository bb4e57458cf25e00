#include "store/postgres/binary_array.h"

#include <bit>
#include <chrono>
#include <cstring>

namespace inventory::store::postgres {
namespace {

constexpr domain::Timestamp kEpoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
constexpr std::chrono::microseconds kFirst =
    domain::Timestamp(std::chrono::sys_days(std::chrono::year(0) / 1 / 1)) - kEpoch;
constexpr std::chrono::microseconds kLast =
    domain::Timestamp(std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1)) - kEpoch -
    std::chrono::microseconds(1);
constexpr std::size_t kCountAt = 12;  // after dimensions, null flag and element type
constexpr std::size_t kHeaderSize = 20;
constexpr std::size_t kNumberSize = 4 + 8;  // with the length before each
constexpr std::size_t kTextSize = 4 + 40;   // fits an identity that is a UUID; others may be longer

template <class Number>
Number big_endian(Number value) {
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

template <class Number>
void append(std::string& bytes, Number value) {
  const Number swapped = big_endian(value);
  bytes.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

}  // namespace

BinaryArray::BinaryArray(Element element, std::size_t count) {
  bytes_.reserve(kHeaderSize + count * (element == Element::text ? kTextSize : kNumberSize));
  append<std::uint32_t>(bytes_, 1);  // dimensions
  append<std::uint32_t>(bytes_, 1);  // there may be NULLs
  append(bytes_, static_cast<std::uint32_t>(element));
  append<std::uint32_t>(bytes_, 0);  // elements, counted as they are added
  append<std::uint32_t>(bytes_, 1);  // lower bound
}

void BinaryArray::add(std::int64_t value) {
  count_one();
  append<std::uint32_t>(bytes_, sizeof value);
  append(bytes_, value);
}

void BinaryArray::add(std::string_view value) {
  count_one();
  append(bytes_, static_cast<std::uint32_t>(value.size()));
  bytes_.append(value);
}

void BinaryArray::add(const std::optional<std::int64_t>& value) {
  if (value) {
    add(*value);
    return;
  }
  count_one();
  append<std::int32_t>(bytes_, -1);
}

void BinaryArray::add(const std::optional<std::string>& value) {
  if (value) {
    add(std::string_view(*value));
    return;
  }
  count_one();
  append<std::int32_t>(bytes_, -1);
}

void BinaryArray::add(domain::Timestamp value) { add((value - kEpoch).count()); }

void BinaryArray::count_one() {
  const std::uint32_t swapped = big_endian(++count_);
  std::memcpy(bytes_.data() + kCountAt, &swapped, sizeof swapped);
}

std::string binary_bigint(std::int64_t value) {
  std::string bytes;
  append(bytes, value);
  return bytes;
}

std::string binary_timestamp(domain::Timestamp value) {
  return binary_bigint((value - kEpoch).count());
}

std::optional<std::int64_t> read_bigint(const PGresult* result, int row, int column) {
  std::int64_t value = 0;
  if (PQgetlength(result, row, column) != sizeof value) {  // NULL has the length 0
    return std::nullopt;
  }
  std::memcpy(&value, PQgetvalue(result, row, column), sizeof value);
  return big_endian(value);
}

std::optional<domain::Timestamp> read_timestamp(const PGresult* result, int row, int column) {
  const auto since_epoch = read_bigint(result, row, column);
  if (!since_epoch || *since_epoch < kFirst.count() || *since_epoch > kLast.count()) {
    return std::nullopt;
  }
  return kEpoch + std::chrono::microseconds(*since_epoch);
}

bool read_bool(const PGresult* result, int row, int column) {
  return *PQgetvalue(result, row, column) != 0;  // NULL is empty
}

std::optional<std::string> read_text(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) {
    return std::nullopt;
  }
  return std::string(PQgetvalue(result, row, column),
                     static_cast<std::size_t>(PQgetlength(result, row, column)));
}

}  // namespace inventory::store::postgres
