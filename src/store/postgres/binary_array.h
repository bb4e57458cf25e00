#pragma once

// Parameters and results in PostgreSQL's binary format, which needs no escaping and does not depend
// on the session's time zone or date style. Integers are big-endian; a timestamp is microseconds
// since 2000-01-01 (PostgreSQL src/backend/utils/adt: arrayfuncs.c array_recv, timestamp.c).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "domain/item.h"

namespace inventory::store::postgres {

// BinaryArray: a one-dimensional array as one parameter of a statement.
class BinaryArray {
 public:
  enum class Element : std::uint32_t { bigint = 20, text = 25, timestamp = 1114 };  // pg_type
  // `count`: the expected number of elements, to allocate once.
  explicit BinaryArray(Element element, std::size_t count = 0);

  void add(std::int64_t value);
  void add(std::string_view value);
  void add(const std::optional<std::int64_t>& value);  // NULL without a value
  void add(const std::optional<std::string>& value);
  void add(domain::Timestamp value);

  std::string_view bytes() const { return bytes_; }

 private:
  void count_one();

  std::string bytes_;
  std::uint32_t count_ = 0;
};

std::string binary_bigint(std::int64_t value);
std::string binary_timestamp(domain::Timestamp value);

// A field of a binary result. Empty if it is NULL; also if a number is not 8 bytes long, or a time
// is infinite or its year does not have four digits. A NULL boolean is false.
std::optional<std::int64_t> read_bigint(const PGresult* result, int row, int column);
std::optional<domain::Timestamp> read_timestamp(const PGresult* result, int row, int column);
bool read_bool(const PGresult* result, int row, int column);
std::optional<std::string> read_text(const PGresult* result, int row, int column);

}  // namespace inventory::store::postgres
