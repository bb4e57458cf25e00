#pragma once

// HeaderTable: the headers of a message, kept as the bytes that came over the wire.
//
// What this program does not understand goes on byte for byte, at the cost of a copy. Nested
// tables and arrays are never entered: they are skipped by their length, so depth costs nothing.
// Format: AMQP 0-9-1, 4.2.5.5 with RabbitMQ's errata; here without the leading 4-byte length.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace amqp {

// HeaderValue: one value by its type as on the wire ('S', 't', 'l', ...). A string, array or table
// is there without its leading length.
struct HeaderValue {
  std::string_view name;  // empty in an array
  char type;
  std::string_view bytes;
};

// The entries of a table ('F') and the items of an array ('A'), up to the first that is malformed.
// They point into what was given.
std::vector<HeaderValue> table_entries(std::string_view encoded);
std::vector<HeaderValue> array_items(std::string_view encoded);

// How many bytes of a table can be read, nested tables and arrays with it: up to the first entry
// that cannot, or all of them. Without recursion, however deep it is.
std::size_t well_formed_size(std::string_view encoded);

// A value of one of the integer types.
std::optional<std::int64_t> to_integer(const HeaderValue& value);

class HeaderTable {
 public:
  HeaderTable() = default;
  explicit HeaderTable(std::string encoded) : encoded_(std::move(encoded)) {}

  // The entries' bytes, one after the other.
  const std::string& encoded() const { return encoded_; }
  bool empty() const { return encoded_.empty(); }

  // The value of the first entry of that name if it is a long string ('S'), else nothing.
  std::optional<std::string_view> find_string(std::string_view name) const;

  // The value of the first entry of that name if it is an integer, or true (1) or false (0).
  std::optional<std::int64_t> find_integer(std::string_view name) const;

  // The bytes of the first entry of that name: name, type and value. Empty if there is none, or if
  // the table is malformed before it.
  std::string_view find_entry(std::string_view name) const;

  // Adds an entry. Does not look whether one of that name is there. name: at most 255 bytes.
  void add_string(std::string_view name, std::string_view value);
  void add_bool(std::string_view name, bool value);
  void add_entry(std::string_view encoded_entry);  // as find_entry() gives it

  // Gives every entry of that name another name. A table that is malformed stays as it is.
  void rename(std::string_view from, std::string_view to);

  // Removes every entry of that name. A table that is malformed stays as it is.
  void remove(std::string_view name);

  friend bool operator==(const HeaderTable&, const HeaderTable&) = default;

 private:
  std::string encoded_;
};

}  // namespace amqp
