#include "amqp/queue_terms.h"

#include <charconv>

namespace amqp {
namespace {

// The default for quorum queues as of RabbitMQ 4.0.
constexpr std::int64_t kDefaultDeliveryLimit = 20;

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// Removes the text up to and including `end`, and returns what precedes it; empty if it does not
// occur.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  if (at == std::string_view::npos) return {};
  const auto taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

bool is_before_4(std::string_view version) {
  const auto major = to_number(version.substr(0, version.find('.')));
  return major && *major < 4;
}

}  // namespace

std::optional<QueueType> QueueDifference::type() const {
  if (is_quorum()) return QueueType::quorum;
  if (!current || current == "classic") return QueueType::classic;
  return {};
}

std::optional<std::int64_t> QueueDifference::delivery_limit(std::string_view broker_version) const {
  if (!current) return is_before_4(broker_version) ? kNoDeliveryLimit : kDefaultDeliveryLimit;
  const auto limit = to_number(*current);
  if (limit && *limit < 0) return is_before_4(broker_version) ? 0 : kNoDeliveryLimit;
  return limit;
}

std::optional<method::QueueArgument> QueueDifference::repeatable() const {
  if (!current) return {};
  if (kind == "longstr") return method::QueueArgument{argument, *current};
  const auto number = to_number(*current);
  if (kind.empty() || !number) return {};
  return method::QueueArgument{argument, *number};
}

std::optional<QueueDifference> read_difference(std::string_view text) {
  if (!take_until(text, "inequivalent arg '")) return {};
  const auto argument = take_until(text, "' for queue '");
  if (!argument || !take_until(text, " but current is ")) return {};
  QueueDifference difference{.argument = std::string(*argument), .current = {}, .kind = {}};
  if (text == "none") return difference;
  constexpr std::string_view kWithKind = "the value ";
  if (text.starts_with(kWithKind)) {
    text.remove_prefix(kWithKind.size());
    constexpr std::string_view kOfType = " of type '";
    const auto at = text.rfind(kOfType);
    if (at == std::string_view::npos || !text.ends_with('\'')) return {};
    difference.kind = text.substr(at + kOfType.size());
    difference.kind.pop_back();
    text = text.substr(0, at);
  }
  if (text.size() < 2 || !text.starts_with('\'') || !text.ends_with('\'')) return {};
  difference.current = std::string(text.substr(1, text.size() - 2));
  return difference;
}

}  // namespace amqp
