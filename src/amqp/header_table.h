#pragma once

// HeaderTable: the headers of a message, kept as the bytes that came over the wire.
//
// What this program does not understand goes on byte for byte, at the cost of a copy. Nested
// tables and arrays are never entered: they are skipped by their length, so depth costs nothing.
// Format: AMQP 0-9-1, 4.2.5.5 with RabbitMQ's errata; here without the leading 4-byte length.

#include <optional>
#include <string>
#include <string_view>

namespace amqp {

class HeaderTable {
 public:
  HeaderTable() = default;
  explicit HeaderTable(std::string encoded) : encoded_(std::move(encoded)) {}

  // The entries' bytes, one after the other.
  const std::string& encoded() const { return encoded_; }
  bool empty() const { return encoded_.empty(); }

  // The value of the first entry of that name if it is a long string ('S'), else nothing.
  std::optional<std::string_view> find_string(std::string_view name) const;

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
