// Request bodies, read and answered as requests of each kind. The judge is another JSON library.
//
// Promised: what is accepted is JSON within the contract's limits, and all of that is accepted; the
// reply is JSON with the contract's members and no other; order_data is the request byte for byte.
// What was sent as an order can be cancelled and confirmed as it is. The key of a hold survives its
// request to expire.

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "contract/cancellation_message.h"
#include "contract/confirmation_message.h"
#include "contract/expiry_message.h"
#include "contract/item_message.h"
#include "contract/order_message.h"
#include "target.h"

namespace inventory::fuzz {
namespace {

using nlohmann::json;

constexpr std::size_t kBytesMax = 16'000;
constexpr std::int64_t kIntegerMax = (std::int64_t{1} << 53) - 1;
constexpr std::size_t kLevelsMax = 64;
constexpr std::string_view kWhiteSpace = " \t\n\r";

struct Judgement {
  enum class Verdict : std::uint8_t { valid, invalid, unknown };
  Verdict verdict;
  json tree;
  std::vector<std::string> members;  // of the outermost object, in order, repetitions too
  std::size_t levels = 0;
};

// Half of a surrogate pair is JSON, and the judge takes none: it gets a NUL in its place, which no
// text that counts may have.
std::string mended(std::string_view text) {
  static const std::regex kEscapes(
      R"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\[^])");
  std::string result;
  const std::string all(text);
  auto rest = all.begin();
  for (std::sregex_iterator at(all.begin(), all.end(), kEscapes), end; at != end; ++at) {
    result.append(rest, all.begin() + at->position());
    result += at->length() == 6 ? "\\u0000" : at->str();
    rest = all.begin() + at->position() + at->length();
  }
  return result.append(rest, all.end());
}

Judgement judge(std::string_view given) {
  const std::string text = mended(given);
  Judgement judgement{Judgement::Verdict::valid, {}, {}, 0};
  // The judge ends a text at a NUL and skips a byte order mark; RFC 8259 has neither.
  if (text.contains('\0') || text.starts_with("\xEF\xBB\xBF")) {
    judgement.verdict = Judgement::Verdict::invalid;
    return judgement;
  }
  const auto look = [&](int level, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      judgement.levels = std::max(judgement.levels, static_cast<std::size_t>(level) + 1);
    }
    if (event == Event::key && level == 1) {
      judgement.members.push_back(value.get<std::string>());
    }
    return true;
  };
  try {
    judgement.tree = json::parse(text, look);
  } catch (const json::out_of_range&) {
    judgement.verdict = Judgement::Verdict::unknown;  // a number beyond double: 1e400
  } catch (const json::parse_error&) {
    judgement.verdict = Judgement::Verdict::invalid;
  }
  return judgement;
}

std::optional<std::int64_t> integer(const json& tree, const char* member, std::int64_t min) {
  const auto found = tree.find(member);
  if (found == tree.end() || !found->is_number_integer()) return {};
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{kIntegerMax}) {
    return {};
  }
  const auto value = found->get<std::int64_t>();
  return value >= min && value <= kIntegerMax ? std::optional(value) : std::nullopt;
}

std::optional<std::string> string(const json& tree, const char* member, std::size_t bytes_min,
                                  std::size_t bytes_max) {
  const auto found = tree.find(member);
  if (found == tree.end() || !found->is_string()) return {};
  auto value = found->get<std::string>();
  const bool fits = value.size() >= bytes_min && value.size() <= bytes_max;
  return fits && !value.contains('\0') ? std::optional(std::move(value)) : std::nullopt;
}

std::optional<domain::OrderId> order_id(const json& tree, const char* member = "order_id") {
  if (const auto number = integer(tree, member, -kIntegerMax)) return domain::OrderId(*number);
  if (auto text = string(tree, member, 1, 128)) return domain::OrderId(*std::move(text));
  return {};
}

std::string_view trimmed(std::string_view body) {
  body.remove_prefix(std::min(body.find_first_not_of(kWhiteSpace), body.size()));
  return body.substr(0, body.find_last_not_of(kWhiteSpace) + 1);
}

// Whether the reader has to take the body for an object, and whether it did.
void check_reading(std::string_view body, const Judgement& judgement, bool was_read,
                   const std::optional<std::string>& error) {
  if (body.size() > kBytesMax) {
    promise(!was_read, "a body that is too large is not read");
  } else if (judgement.verdict == Judgement::Verdict::invalid) {
    promise(!was_read, "what is no JSON is refused");
  } else if (judgement.verdict == Judgement::Verdict::valid) {
    if (!judgement.tree.is_object() || judgement.levels > kLevelsMax) {
      promise(!was_read, "what is no object, or nests too deeply, is refused");
    } else if (!was_read) {
      promise(error && error->contains("exponent overflow"),
              "an object within the limits is read, but for enormous exponents");
    }
  }
}

std::optional<std::int64_t> hold_of(const contract::OrderMessage& message) {
  if (!message.order) return {};
  return std::visit([](const auto& order) { return order.hold_seconds; }, *message.order);
}

// Of an order that asks to hold it says until when; these are rejected, or say so of none.
void check_order_reply(const contract::OrderMessage& message, const std::string& reply,
                       bool success, std::string_view text) {
  const std::string object(message.object.empty() ? "null" : message.object);
  const std::string last = hold_of(message) ? R"(,"held_until":null})" : "}";
  promise(reply.ends_with(R"("order_data":)" + object + last),
          "order_data is the request byte for byte");
  // The rest is judged by itself: the request may hold numbers that the judge does not know.
  const auto rest = judge(reply.substr(0, reply.size() - object.size() - last.size()) + "null}");
  promise(rest.verdict == Judgement::Verdict::valid, "the reply is JSON");
  promise(rest.members == std::vector<std::string>{"order_id", "success", "message", "order_data"},
          "the reply has the contract's members");
  promise(rest.tree["success"] == success, "the reply says whether it was accepted");
  promise(rest.tree["message"] == text, "the reply's message is the contract's");
  promise(
      message.order_id ? order_id(rest.tree) == message.order_id : rest.tree["order_id"].is_null(),
      "the reply repeats order_id");
}

bool is_none(const json& tree, const char* member) {
  const auto found = tree.find(member);
  return found == tree.end() || found->is_null();
}

// The items that the contract takes, by product; nothing where it takes none of it.
std::optional<std::map<std::int64_t, std::int64_t>> items_of(const json& tree) {
  const json& items = tree.at("items");
  if (!items.is_array() || items.empty() || items.size() > 100) return {};
  std::map<std::int64_t, std::int64_t> sums;
  for (const json& item : items) {
    if (!item.is_object()) return {};
    const auto product = integer(item, "product_id", 1);
    const auto quantity = integer(item, "quantity", 1);
    if (!product || !quantity) return {};
    sums[*product] += *quantity;
    if (sums[*product] > kIntegerMax) return {};
  }
  return is_none(tree, "product_id") && is_none(tree, "quantity") ? std::optional(sums)
                                                                  : std::nullopt;
}

constexpr std::int64_t kHoldSecondsMax = 30 * std::int64_t{86'400};

bool is_hold_valid(const json& tree) {
  return is_none(tree, "hold_seconds") ||
         integer(tree, "hold_seconds", 1).value_or(kIntegerMax) <= kHoldSecondsMax;
}

void check_basket(const contract::OrderMessage& message, const json& tree) {
  const auto items = items_of(tree);
  const bool has_ids = order_id(tree) && (order_id(tree, "line_id") || is_none(tree, "line_id"));
  promise(message.order.has_value() == (has_ids && items && is_hold_valid(tree)),
          "an order of several items is accepted if its members are valid, and only then");
  if (!message.order) return;
  promise(message.basket() != nullptr, "it is one of several items");
  std::map<std::int64_t, std::int64_t> read;
  for (const auto& [product, quantity] : message.basket()->items) read[product] += quantity;
  promise(read == *items, "the items are read as they were written");
  promise(hold_of(message) == integer(tree, "hold_seconds", 1), "a hold is read as it was written");
}

void check_order(std::string_view body, const Judgement& judgement) {
  const auto message = contract::read_order(body, kBytesMax);
  const bool was_read = !message.object.empty();
  const auto error = message.order ? std::nullopt : std::optional(message.order.error().what);
  check_reading(body, judgement, was_read, error);
  promise(!message.order || was_read, "only an object is accepted");
  if (was_read) promise(message.object == trimmed(body), "the object is the body");
  const auto items = judgement.tree.find("items");
  const bool has_items = was_read && items != judgement.tree.end() && !items->is_null();
  if (was_read && !has_items && judgement.verdict == Judgement::Verdict::valid) {
    const auto id = order_id(judgement.tree);
    const auto product = integer(judgement.tree, "product_id", 1);
    const auto quantity = integer(judgement.tree, "quantity", 1);
    const auto line = order_id(judgement.tree, "line_id");
    const auto line_member = judgement.tree.find("line_id");
    const bool has_no_line = line_member == judgement.tree.end() || line_member->is_null();
    promise(message.order_id == id, "order_id is read if it is valid");
    promise(message.order.has_value() == (id && product && quantity && (line || has_no_line) &&
                                          is_hold_valid(judgement.tree)),
            "an order is accepted if its members are valid, and only then");
    if (message.order) {
      promise(message.single()->id == id && message.single()->product == product &&
                  message.single()->quantity == quantity && message.single()->line == line &&
                  hold_of(message) == integer(judgement.tree, "hold_seconds", 1),
              "an order is read as it was written");
    }
  }
  if (has_items && judgement.verdict == Judgement::Verdict::valid) {
    check_basket(message, judgement.tree);
  }
  if (!message.order) {
    check_order_reply(message, contract::invalid_order_reply(message, *error), false,
                      "Invalid order: " + *error);
    return;
  }
  if (message.single() == nullptr) return;  // of several items
  using domain::Outcome;
  check_order_reply(message, contract::order_reply(message, {.outcome = Outcome::accepted}), true,
                    "Inventory updated");
  check_order_reply(message, contract::order_reply(message, {.outcome = Outcome::not_enough_stock}),
                    false, "Not enough inventory");
  const domain::OrderDecision conflict{
      .outcome = Outcome::accepted, .replayed = false, .conflicts_with = kIntegerMax};
  check_order_reply(
      message, contract::order_reply(message, conflict), false,
      fmt::format(
          "Invalid order: order_id {}{} was already decided for product {} with quantity {}",
          message.single()->id.display(),
          message.single()->line ? ", line_id " + message.single()->line->display() : "",
          message.single()->product, kIntegerMax));
}

// What was sent as an order, and what looks like one, may be cancelled.
void check_cancellation(std::string_view body) {
  const auto message = contract::read_cancellation(body, kBytesMax);
  const std::string reply =
      message.cancellation
          ? contract::cancellation_reply(message, {.items = {{1, kIntegerMax}}})
          : contract::invalid_cancellation_reply(message, message.cancellation.error().what);
  promise(reply.starts_with(R"({"order_id":)") && reply.ends_with('}'), "it is replied to");
  const auto order = contract::read_order(body, kBytesMax);
  promise(!order.order || message.cancellation, "what is an order can be cancelled as it is");
}

// As cancellations: both take the same.
void check_confirmation(std::string_view body) {
  const auto message = contract::read_confirmation(body, kBytesMax);
  const std::string reply =
      message.confirmation
          ? contract::confirmation_reply(message, {.outcome = domain::Outcome::confirmed})
          : contract::invalid_confirmation_reply(message, message.confirmation.error().what);
  const std::string object(message.object.empty() ? "null" : message.object);
  promise(
      reply.starts_with(R"({"order_id":)") && reply.ends_with(R"("order_data":)" + object + "}"),
      "it is replied to, with the request byte for byte");
  promise(message.confirmation.has_value() ==
              contract::read_cancellation(body, kBytesMax).cancellation.has_value(),
          "what can be cancelled can be confirmed");
}

// The service's own requests: no others are taken, and what it writes is read again.
void check_expiry(std::string_view body) {
  const auto read = contract::read_expiry(body, kBytesMax);
  if (read) {
    const auto again =
        contract::read_expiry(contract::expiry_body({read->product, read->identity}), kBytesMax);
    promise(again && again->product == read->product && again->identity == read->identity,
            "a request to expire is read as it was written");
  }
  const auto order = contract::read_order(body, kBytesMax);
  if (order.single() == nullptr) return;
  const domain::LedgerKey key(order.single()->product, order.single()->ledger_identity());
  const auto expiry = contract::read_expiry(contract::expiry_body(key), kBytesMax);
  promise(expiry && expiry->product == key.first && expiry->identity == key.second,
          "the hold of any order can be asked to expire");
}

void check_item_reply(const std::string& reply, const contract::ItemMessage& message, bool success,
                      std::string_view text) {
  const auto judged = judge(reply);
  promise(judged.verdict == Judgement::Verdict::valid, "the reply is JSON");
  promise(judged.members == std::vector<std::string>{"id", "quantity", "description", "created_at",
                                                     "success", "message"},
          "the reply has the contract's members");
  promise(judged.tree["success"] == success, "the reply says whether it was added");
  promise(judged.tree["message"] == text, "the reply's message is the contract's");
  promise(judged.tree["id"].is_null() != success && judged.tree["created_at"].is_null() != success,
          "an item that was added has an id, and no other");
  promise(integer(judged.tree, "quantity", 0) == message.quantity, "the reply repeats quantity");
  promise(message.description ? judged.tree["description"] == *message.description
                              : judged.tree["description"].is_null(),
          "the reply repeats the description");
}

void check_item(std::string_view body, const Judgement& judgement) {
  const auto message = contract::read_item(body, kBytesMax);
  const auto error = message.error ? std::optional(message.error->what) : std::nullopt;
  // Of a body that is no object there is nothing.
  const bool was_read =
      !message.error || message.quantity || message.description || error->starts_with("quantity ");
  check_reading(body, judgement, was_read, error);
  if (was_read && judgement.verdict == Judgement::Verdict::valid) {
    const auto description = judgement.tree.find("description");
    const bool is_none = description == judgement.tree.end() || description->is_null();
    const auto text = string(judgement.tree, "description", 0, 10'000);
    promise(message.quantity == integer(judgement.tree, "quantity", 0), "quantity is read");
    promise(message.description == text, "description is read");
    const auto is_wrong = [&](const char* member, std::int64_t min) {
      const auto found = judgement.tree.find(member);
      return found != judgement.tree.end() && !found->is_null() &&
             !integer(judgement.tree, member, min);
    };
    const auto chosen = integer(judgement.tree, "product_id", 1);
    const bool is_chosen_wrong =
        is_wrong("product_id", 1) || chosen.value_or(1) > domain::kChosenIdMax;
    promise(message.error.has_value() == (!message.quantity || (!text && !is_none) ||
                                          is_chosen_wrong || is_wrong("low_stock", 0)),
            "an item is accepted if its members are valid, and only then");
  }
  if (message.error) {
    check_item_reply(contract::invalid_item_reply(message, *error), message, false,
                     "Invalid item: " + *error);
    return;
  }
  const domain::Item item{7, message.quantity.value_or(-1), message.description, {}};
  check_item_reply(contract::item_reply({.item = item}), message, true, "Item added");
}

// No two properties may become one identity, and a store must be able to keep it.
void check_identity(const std::string& property) {
  const auto identity = contract::item_identity(property, std::nullopt);
  promise(identity.has_value() == !property.empty(), "an empty property is no identity");
  if (!identity) return;
  promise(identity->size() <= 512, "an identity has at most 512 bytes");
  promise(!identity->contains('\0'), "an identity holds no NUL");
  promise(!json(*identity).dump().empty(), "an identity is UTF-8");  // else it throws
  std::string back = identity->substr(1);
  if (identity->starts_with('M')) {
    std::string bytes;
    for (std::size_t i = 0; i < back.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(back.substr(i, 2), nullptr, 16));
    }
    back = bytes;
  }
  promise(back == property, "an identity can be read back");
  promise(contract::item_identity("", property) != identity,
          "a correlation_id is not taken for a message_id");
}

}  // namespace
}  // namespace inventory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inventory::fuzz;
  const auto body = text_of(data, size);
  const auto judgement = judge(body);
  check_order(body, judgement);
  check_cancellation(body);
  check_confirmation(body);
  check_expiry(body);
  check_item(body, judgement);
  check_identity(std::string(body.substr(0, 255)));
  return 0;
}
