#pragma once

// HeaderTable: the headers of a message, kept as the bytes received.
//
// Headers unknown to this program are passed on byte for byte. Nested tables and arrays are skipped
// by their length, not parsed, so depth costs nothing.
// Format: AMQP 0-9-1, 4.2.5.5 with RabbitMQ's errata; without the leading 4-byte length.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace amqp {

// HeaderValue: one value, with its type as on the wire ('S', 't', 'l', ...). A string, array or
// table is without its leading length.
struct HeaderValue {
  std::string_view name;  // empty in an array
  char type;
  std::string_view bytes;
};

// The entries of a table ('F') and the items of an array ('A'), up to the first malformed one. They
// point into `encoded`.
std::vector<HeaderValue> table_entries(std::string_view encoded);
std::vector<HeaderValue> array_items(std::string_view encoded);

// The number of well-formed bytes of a table: all, or those before the first malformed entry.
// Checks nested tables and arrays too, without recursion.
std::size_t well_formed_size(std::string_view encoded);

// The value if it has one of the integer types.
std::optional<std::int64_t> to_integer(const HeaderValue& value);

class HeaderTable {
 public:
  HeaderTable() = default;
  explicit HeaderTable(std::string encoded) : encoded_(std::move(encoded)) {}

  // The bytes of the entries, one after the other.
  const std::string& encoded() const { return encoded_; }
  bool empty() const { return encoded_.empty(); }

  // The value of the first entry of that name if it is a long string ('S'), else empty.
  std::optional<std::string_view> find_string(std::string_view name) const;

  // The value of the first entry of that name if it is an integer, or true (1) or false (0).
  std::optional<std::int64_t> find_integer(std::string_view name) const;

  // The bytes of the first entry of that name: name, type and value. Empty if there is none, or if
  // the table is malformed before it.
  std::string_view find_entry(std::string_view name) const;

  // Adds an entry, without checking for one of the same name. name: at most 255 bytes.
  void add_string(std::string_view name, std::string_view value);
  void add_bool(std::string_view name, bool value);
  void add_entry(std::string_view encoded_entry);  // as find_entry() returns it

  // Renames every entry of that name. Leaves a malformed table unchanged.
  void rename(std::string_view from, std::string_view to);

  // Removes every entry of that name. Leaves a malformed table unchanged.
  void remove(std::string_view name);

  friend bool operator==(const HeaderTable&, const HeaderTable&) = default;

 private:
  std::string encoded_;
};

}  // namespace amqp
