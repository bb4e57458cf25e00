// A message's headers, looked up, extended, renamed and removed. The first byte is the length of a
// name; the name follows, and then the table. The judge is rabbitmq-c, which decodes the table
// whole.
//
// Promised: what rabbitmq-c finds is found; what is taken is within the table; a malformed table
// stays as it is; nothing else changes than what was asked for.

#include "amqp/header_table.h"

#include <algorithm>
#include <string>
#include <vector>

#include "amqp/rabbitmq_c.h"
#include "amqp/wire.h"
#include "target.h"

namespace inventory::fuzz {
namespace {

using amqp::HeaderTable;

// Names that no input holds.
constexpr std::string_view kOther = "another name";
constexpr std::string_view kEnd = "the end of the table";

bool is_within(std::string_view part, const std::string& whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Whether one can walk over it to its end.
bool is_well_formed(HeaderTable table) {
  table.add_string(kEnd, "end");
  return table.find_string(kEnd) == "end";
}

void check_lookup(const HeaderTable& table, std::string_view name) {
  const auto entry = table.find_entry(name);
  if (const auto value = table.find_string(name)) {
    promise(is_within(*value, table.encoded()) && entry.ends_with(*value),
            "a value is a part of its entry");
    promise(entry.size() == 1 + name.size() + 5 + value->size(), "an entry is its name and value");
  }
  if (entry.empty()) return;
  promise(is_within(entry, table.encoded()), "an entry is a part of the table");
  promise(static_cast<unsigned char>(entry.front()) == name.size() &&
              entry.substr(1, name.size()) == name,
          "an entry begins with its name");
  HeaderTable copy;
  copy.add_entry(entry);
  promise(copy.find_entry(name) == entry, "an entry can be copied");
  promise(copy.find_string(name) == table.find_string(name), "a copied entry has the same value");
  promise(is_well_formed(copy), "an entry is a table");
}

void check_changes(const HeaderTable& table, std::string_view name) {
  HeaderTable removed = table;
  removed.remove(name);
  HeaderTable renamed = table;
  renamed.rename(name, kOther);
  if (!is_well_formed(table)) {
    promise(removed == table && renamed == table, "a malformed table stays as it is");
    return;
  }
  promise(removed.find_entry(name).empty(), "what was removed is gone");
  promise((removed == table) == table.find_entry(name).empty(), "only what is there is removed");
  promise(is_well_formed(removed) && is_well_formed(renamed), "the rest is well-formed");
  promise(renamed.find_entry(name).empty(), "what was renamed is gone");
  promise(renamed.find_string(kOther) == table.find_string(name), "what was renamed is there");
  renamed.rename(kOther, name);
  promise(renamed == table, "renamed back, it is the same");

  HeaderTable extended = removed;
  extended.add_bool(name, true);
  promise(!extended.find_string(name), "a boolean is no string");
  extended.remove(name);
  extended.add_string(name, table.encoded());
  promise(extended.find_string(name) == table.encoded(), "what was added is found");
  promise(extended.encoded().starts_with(removed.encoded()), "the rest is untouched");
}

// Whether rabbitmq-c would write the table as it is: it reads on where a nested one is too long.
bool is_canonical(const std::string& encoded, amqp_table_t& decoded) {
  std::string again(encoded.size(), '\0');
  std::size_t offset = 0;
  return amqp_encode_table({again.size(), again.data()}, &decoded, &offset) == AMQP_STATUS_OK &&
         again == encoded;
}

// rabbitmq-c recurses into nested tables: bounded here by the size of the table.
void check_by_judge(const HeaderTable& table) {
  constexpr std::size_t kJudgedMax = 4'096;
  if (table.encoded().size() > kJudgedMax) return;
  std::string encoded;
  amqp::append_integer(encoded, static_cast<std::uint32_t>(table.encoded().size()));
  encoded += table.encoded();
  amqp_pool_t pool;
  init_amqp_pool(&pool, 4'096);
  amqp_table_t decoded{};
  std::size_t offset = 0;
  const bool is_table = amqp_decode_table({encoded.size(), encoded.data()}, &pool, &decoded,
                                          &offset) == AMQP_STATUS_OK;
  if (is_table && is_canonical(encoded, decoded)) {
    promise(is_well_formed(table), "what rabbitmq-c decodes is well-formed");
    std::vector<std::string_view> seen;
    for (int i = 0; i < decoded.num_entries; ++i) {
      const auto& entry = decoded.entries[i];
      const std::string_view name(static_cast<const char*>(entry.key.bytes), entry.key.len);
      promise(!table.find_entry(name).empty(), "what rabbitmq-c finds is found");
      if (std::ranges::find(seen, name) != seen.end()) continue;
      seen.push_back(name);
      const auto value = table.find_string(name);
      promise(value.has_value() == (entry.value.kind == AMQP_FIELD_KIND_UTF8),
              "the first entry of a name is a string, or not, as in rabbitmq-c");
      if (!value) continue;
      const auto& bytes = entry.value.value.bytes;
      promise(*value == std::string_view(static_cast<const char*>(bytes.bytes), bytes.len),
              "a string is that of rabbitmq-c");
    }
  }
  empty_amqp_pool(&pool);
}

}  // namespace
}  // namespace inventory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inventory::fuzz;
  if (size == 0) return 0;
  auto rest = text_of(data, size);
  const std::size_t name_size = static_cast<unsigned char>(rest.front()) % 32;
  const auto name = rest.substr(1, name_size);
  rest.remove_prefix(std::min(1 + name_size, rest.size()));
  if (rest.contains(kOther) || rest.contains(kEnd) || name == kOther || name == kEnd) return 0;
  const amqp::HeaderTable table{std::string(rest)};
  check_lookup(table, name);
  check_changes(table, name);
  check_by_judge(table);
  return 0;
}
