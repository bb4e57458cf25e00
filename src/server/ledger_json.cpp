#include "server/ledger_json.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "config/integer.h"
#include "contract/json_object.h"
#include "contract/limits.h"
#include "contract/order_parts.h"
#include "contract/timestamp.h"
#include "domain/hold.h"
#include "terminal/utf8.h"

namespace inventory::server {
namespace {

using domain::EntryKind;

std::string json_of(const std::optional<std::int64_t>& number) {
  return number ? fmt::to_string(*number) : "null";
}

std::string json_of(const std::optional<domain::Timestamp>& time) {
  return time ? fmt::format(R"("{}")", contract::format_timestamp(*time)) : "null";
}

std::string json_of(const std::optional<std::string>& text) {
  if (!text || !terminal::is_utf8(*text)) return "null";
  std::string json;
  contract::append_json_string(json, *text);
  return json;
}

std::optional<domain::HoldTerms> hold_of(const store::StoredEntry& entry) {
  return domain::hold_terms({.key = {}, .terms = entry.terms});
}

// The further members of a request.
std::string terms_json(EntryKind kind, const store::StoredEntry& entry) {
  if (kind == EntryKind::order) {
    const auto hold = hold_of(entry);
    if (!hold) return "";
    return fmt::format(R"(,"hold_seconds":{},"held_until":{})", hold->seconds,
                       json_of(hold->until));
  }
  const auto terms = kind == EntryKind::adjustment
                         ? domain::read_adjustment_terms(entry.terms.value_or(""))
                         : std::nullopt;
  if (!terms) return "";
  std::string json =
      fmt::format(R"(,"{}":{})", terms->sets ? "set_to" : "change", json_of(entry.quantity));
  if (terms->expected) json += fmt::format(R"(,"expected":{})", *terms->expected);
  return json;
}

// The order's own entry, null if there is none, and whether it was cancelled, confirmed or expired.
struct Parts {
  const store::StoredEntry* order = nullptr;
  bool is_cancelled = false;
  bool is_confirmed = false;
  bool is_expired = false;
};

Parts parts_of(const OrderStory& story) {
  const std::string identity = domain::order_identity(story.name.id, story.name.line);
  Parts parts;
  for (const store::StoredEntry& entry : story.entries) {
    if (entry.identity == identity) parts.order = &entry;
    parts.is_cancelled |= entry.identity == domain::cancelled_identity(identity);
    parts.is_expired |= entry.identity == domain::expired_identity(identity);
    parts.is_confirmed |= entry.identity == domain::confirmed_identity(identity) &&
                          domain::find_outcome(entry.outcome) == domain::Outcome::confirmed;
  }
  return parts;
}

void conclude(OrderStory& story) {
  const Parts parts = parts_of(story);
  const auto outcome =
      parts.order == nullptr ? std::nullopt : domain::find_outcome(parts.order->outcome);
  if (!outcome) {  // it was entered by hand, or by a newer program
    story.state = story.entries.front().outcome;
    return;
  }
  switch (*outcome) {
    case domain::Outcome::accepted:
    case domain::Outcome::held:
      break;
    case domain::Outcome::cancelled_first:
      story.state = "cancelled";
      return;
    default:
      story.state = "rejected";
      return;
  }
  story.state = parts.is_expired     ? "expired"
                : parts.is_cancelled ? "cancelled"
                : parts.is_confirmed ? "confirmed"
                                     : parts.order->outcome;
  if (*outcome == domain::Outcome::held && story.state == parts.order->outcome) {
    story.held = parts.order->quantity.value_or(0);
    if (const auto hold = hold_of(*parts.order)) story.held_until = hold->until;
  }
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::optional<std::string> bytes_of(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (; !hex.empty(); hex.remove_prefix(2)) {
    unsigned char byte = 0;
    const std::string digits(hex.substr(0, 2));
    const char* const digits_end = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), digits_end, byte, 16);
    if (error != std::errc() || end != digits_end) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

std::string id_json(const std::optional<domain::OrderId>& id) {
  if (!id) return "null";
  const auto* text = std::get_if<std::string>(&id->value());
  return text == nullptr ? id->display() : json_of(std::optional(*text));
}

std::string entry_json(const store::StoredEntry& entry) {
  const domain::EntryName name = name_of(entry);
  const std::string id = name.kind == EntryKind::correction ? json_of(std::optional(entry.identity))
                                                            : id_json(name.id);
  return fmt::format(
      R"({{"kind":"{}","id":{},"line_id":{},"outcome":{},"quantity":{},"delta":{},"left":{},)"
      R"("reason":{},"time":{}{}}})",
      domain::word_of(name.kind), id, id_json(name.line), json_of(std::optional(entry.outcome)),
      json_of(entry.quantity), json_of(entry.delta), json_of(entry.quantity_after),
      json_of(entry.reason), json_of(entry.decided_at), terms_json(name.kind, entry));
}

domain::EntryName name_of(const store::StoredEntry& entry) {
  return domain::read_entry_name(entry.identity, domain::find_outcome(entry.outcome));
}

std::string place_text(const store::EntryPlace& place) {
  return hex_of(fmt::format("{}/{}/{}/{}", place.time.value_or(""), place.version,
                            place.is_change ? 1 : 0, place.identity));
}

std::optional<store::EntryPlace> read_place(std::string_view text) {
  const auto bytes = bytes_of(text);
  if (!bytes) return std::nullopt;
  std::string_view rest = *bytes;
  const auto take = [&rest]() -> std::optional<std::string_view> {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto part = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    return part;
  };
  const auto time = take();
  const auto version = take();
  const auto is_change = take();
  if (!time || time->empty() || !version || !is_change) return std::nullopt;
  const auto number = config::parse_integer(*version);
  if (!number || (*is_change != "0" && *is_change != "1")) return std::nullopt;
  return store::EntryPlace{.time = std::string(*time),
                           .version = *number,
                           .is_change = *is_change == "1",
                           .identity = std::string(rest)};
}

std::vector<domain::OrderId> possible_ids(std::string_view text) {
  if (text.empty() || text.size() > contract::kOrderIdBytesMax || !terminal::is_utf8(text) ||
      text.contains('\0')) {
    return {};
  }
  std::vector<domain::OrderId> ids;
  const auto number = config::parse_integer(text);
  if (number && *number >= -contract::kIntegerMax && *number <= contract::kIntegerMax &&
      fmt::to_string(*number) == text) {
    ids.emplace_back(*number);
  }
  ids.emplace_back(std::string(text));
  return ids;
}

std::vector<OrderStory> stories_of(std::vector<store::StoredEntry> entries) {
  std::vector<OrderStory> stories;
  for (store::StoredEntry& entry : entries) {
    auto name = name_of(entry);
    if (!name.id) continue;
    domain::OrderName order{.id = *std::move(name.id), .line = std::move(name.line)};
    auto story = std::ranges::find(stories, order, &OrderStory::name);
    if (story == stories.end()) {
      story = stories.insert(stories.end(), {.name = std::move(order), .state = ""});
    }
    story->entries.push_back(std::move(entry));
  }
  std::ranges::for_each(stories, conclude);
  return stories;
}

std::string story_json(const OrderStory& story) {
  std::string json = fmt::format(
      R"({{"order_id":{},"line_id":{},"state":{},"held":{},"held_until":{},"entries":[)",
      id_json(story.name.id), id_json(story.name.line), json_of(std::optional(story.state)),
      story.held, json_of(story.held_until));
  for (const store::StoredEntry& entry : story.entries) {
    if (json.back() != '[') json += ',';
    json += entry_json(entry);
  }
  return json += "]}";
}

}  // namespace inventory::server
