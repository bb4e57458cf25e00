#include "amqp/header_table.h"

#include <cassert>
#include <cstdint>

#include "amqp/wire.h"

namespace amqp {
namespace {

struct Entry {
  std::string_view name;
  char type;
  std::string_view value;  // with its length, if the type has one
  std::string_view whole;
};

// The size of a value in bytes; empty if the type is unknown or there are too few bytes.
// The types are RabbitMQ's (https://www.rabbitmq.com/amqp-0-9-1-errata.html#section_3), where 's'
// is a 16-bit integer and not the specification's short string.
std::optional<std::size_t> value_size(char type, std::string_view bytes) {
  std::size_t size = 0;
  switch (type) {
    case 'V':
      size = 0;
      break;
    case 't':
    case 'b':
    case 'B':
      size = 1;
      break;
    case 's':
    case 'u':
      size = 2;
      break;
    case 'I':
    case 'i':
    case 'f':
      size = 4;
      break;
    case 'D':
      size = 5;
      break;
    case 'l':
    case 'L':
    case 'd':
    case 'T':
      size = 8;
      break;
    case 'S':
    case 'x':
    case 'A':
    case 'F':
      if (bytes.size() < 4) return {};
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): it reads four bytes, which are
      size = std::size_t{4} + read_integer<std::uint32_t>(bytes.data());
      break;
    default:
      return {};
  }
  if (bytes.size() < size) return {};
  return size;
}

// Removes the first entry from the table and returns it; empty if there is none or it is malformed.
std::optional<Entry> take_entry(std::string_view& table) {
  if (table.empty()) return {};
  const std::size_t name_size = static_cast<unsigned char>(table.front());
  if (table.size() < 1 + name_size + 1) return {};
  const char type = table[1 + name_size];
  const auto size = value_size(type, table.substr(1 + name_size + 1));
  if (!size) return {};
  Entry entry{.name = table.substr(1, name_size),
              .type = type,
              .value = table.substr(1 + name_size + 1, *size),
              .whole = table.substr(0, 1 + name_size + 1 + *size)};
  table.remove_prefix(entry.whole.size());
  return entry;
}

std::optional<Entry> find(std::string_view table, std::string_view name) {
  while (const auto entry = take_entry(table)) {
    if (entry->name == name) return entry;
  }
  return {};
}

bool has_length(char type) { return type == 'S' || type == 'x' || type == 'A' || type == 'F'; }

HeaderValue to_value(std::string_view name, char type, std::string_view value) {
  return {.name = name, .type = type, .bytes = has_length(type) ? value.substr(4) : value};
}

void append_name(std::string& out, std::string_view name) {
  assert(name.size() <= 255);
  out.push_back(static_cast<char>(name.size()));
  out.append(name);
}

}  // namespace

std::vector<HeaderValue> table_entries(std::string_view encoded) {
  std::vector<HeaderValue> entries;
  while (const auto entry = take_entry(encoded)) {
    entries.push_back(to_value(entry->name, entry->type, entry->value));
  }
  return entries;
}

std::vector<HeaderValue> array_items(std::string_view encoded) {
  std::vector<HeaderValue> items;
  while (!encoded.empty()) {
    const char type = encoded.front();
    encoded.remove_prefix(1);
    const auto size = value_size(type, encoded);
    if (!size) break;
    items.push_back(to_value({}, type, encoded.substr(0, *size)));
    encoded.remove_prefix(*size);
  }
  return items;
}

std::size_t well_formed_size(std::string_view encoded) {
  struct Nest {
    std::size_t end;
    bool is_table;
    bool is_outermost;
  };
  Nest inside{.end = encoded.size(), .is_table = true, .is_outermost = true};
  std::vector<Nest> around;  // enclosing ones that continue after `inside`
  std::size_t good = 0;      // after the last complete entry of the outermost table
  std::size_t position = 0;
  while (position < encoded.size()) {
    if (position == inside.end) {
      inside = around.back();
      around.pop_back();
    }
    if (inside.is_outermost) good = position;
    const std::string_view rest = encoded.substr(position, inside.end - position);
    const std::size_t name_size =
        inside.is_table ? std::size_t{1} + static_cast<unsigned char>(rest.front()) : 0;
    if (rest.size() < name_size + 1) return good;
    const char type = rest[name_size];
    const auto size = value_size(type, rest.substr(name_size + 1));
    if (!size) return good;
    const std::size_t end = position + name_size + 1 + *size;
    if (type == 'A' || type == 'F') {
      position = end - *size + 4;
      if (end < inside.end) around.push_back(inside);
      inside = {.end = end, .is_table = type == 'F', .is_outermost = false};
    } else {
      position = end;
    }
  }
  return encoded.size();
}

std::optional<std::int64_t> to_integer(const HeaderValue& value) {
  const char* const bytes = value.bytes.data();
  switch (value.type) {
    case 't':
    case 'B':
      return static_cast<unsigned char>(value.bytes.front());
    case 'b':
      return static_cast<signed char>(value.bytes.front());
    case 's':
      return static_cast<std::int16_t>(read_integer<std::uint16_t>(bytes));
    case 'u':
      return read_integer<std::uint16_t>(bytes);
    case 'I':
      return static_cast<std::int32_t>(read_integer<std::uint32_t>(bytes));
    case 'i':
      return read_integer<std::uint32_t>(bytes);
    case 'l':
    case 'L':
    case 'T':
      return static_cast<std::int64_t>(read_integer<std::uint64_t>(bytes));
    default:
      return {};
  }
}

std::optional<std::int64_t> HeaderTable::find_integer(std::string_view name) const {
  const auto entry = find(encoded_, name);
  if (!entry) return {};
  return to_integer(to_value(entry->name, entry->type, entry->value));
}

std::optional<std::string_view> HeaderTable::find_string(std::string_view name) const {
  const auto entry = find(encoded_, name);
  if (!entry || entry->type != 'S') return {};
  return entry->value.substr(4);
}

std::string_view HeaderTable::find_entry(std::string_view name) const {
  const auto entry = find(encoded_, name);
  return entry ? entry->whole : std::string_view{};
}

void HeaderTable::add_string(std::string_view name, std::string_view value) {
  append_name(encoded_, name);
  encoded_.push_back('S');
  append_integer(encoded_, static_cast<std::uint32_t>(value.size()));
  encoded_.append(value);
}

void HeaderTable::add_bool(std::string_view name, bool value) {
  append_name(encoded_, name);
  encoded_.push_back('t');
  encoded_.push_back(value ? '\1' : '\0');
}

void HeaderTable::add_entry(std::string_view encoded_entry) { encoded_.append(encoded_entry); }

void HeaderTable::rename(std::string_view from, std::string_view to) {
  std::string renamed;
  std::string_view rest = encoded_;
  while (const auto entry = take_entry(rest)) {
    if (entry->name == from) {
      append_name(renamed, to);
      renamed.push_back(entry->type);
      renamed.append(entry->value);
    } else {
      renamed.append(entry->whole);
    }
  }
  const bool is_well_formed = rest.empty();
  if (is_well_formed) encoded_ = std::move(renamed);
}

void HeaderTable::remove(std::string_view name) {
  std::string kept;
  std::string_view rest = encoded_;
  while (const auto entry = take_entry(rest)) {
    if (entry->name != name) kept.append(entry->whole);
  }
  const bool well_formed = rest.empty();
  if (well_formed) encoded_ = std::move(kept);
}

}  // namespace amqp
