#include "cli/options.h"

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "config/configuration.h"
#include "config/integer.h"
#include "contract/limits.h"
#include "server/ledger_json.h"

namespace inventory::cli {
namespace {

constexpr std::chrono::seconds kDurationMax = std::chrono::days(3650);

// 0 if there is no such unit.
std::chrono::seconds unit_of(char letter) {
  switch (letter) {
    case 's':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::minutes(1);
    case 'h':
      return std::chrono::hours(1);
    case 'd':
      return std::chrono::days(1);
    default:
      return {};
  }
}

}  // namespace

std::expected<std::int64_t, std::string> read_integer(const std::string& flag,
                                                      const std::optional<std::string>& text,
                                                      std::int64_t min, std::int64_t max) {
  if (!text) return Wrong(fmt::format("{} is missing", flag));
  const auto number = config::parse_integer(*text);
  if (!number || *number < min || *number > max) {
    return Wrong(fmt::format("{} takes a whole number from {} to {}; not {}", flag, min, max,
                             config::quoted_for_message(*text)));
  }
  return *number;
}

std::expected<std::optional<std::int64_t>, std::string> read_optional_integer(
    const Arguments& given, const std::string& flag, std::int64_t min, std::int64_t max) {
  const auto text = given.option(flag);
  if (!text) return std::nullopt;
  return read_integer(flag, text, min, max);
}

std::expected<std::chrono::seconds, std::string> read_duration(const std::string& flag,
                                                               std::string_view text) {
  const auto wrong = [&] {
    return Wrong(fmt::format("{} takes a number with a unit, such as 90s, 5m, 2h or 7d; not {}",
                             flag, config::quoted_for_message(text)));
  };
  if (text.empty()) return wrong();
  const auto unit = unit_of(text.back());
  const auto number = config::parse_integer(text.substr(0, text.size() - 1));
  if (unit.count() == 0 || !number || *number < 0 || *number > kDurationMax / unit) return wrong();
  return *number * unit;
}

std::optional<domain::OrderId> parse_order_id(std::string_view text) {
  const auto ids = server::possible_ids(text);
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

std::expected<domain::OrderId, std::string> read_id(const std::string& flag,
                                                    const std::string& text) {
  auto id = parse_order_id(text);
  if (id) return *std::move(id);
  return Wrong(fmt::format("{} takes an integer, or 1 to {} bytes of UTF-8; not {}", flag,
                           contract::kOrderIdBytesMax, config::quoted_for_message(text)));
}

std::expected<domain::OrderId, std::string> read_id_or_new(const Arguments& given,
                                                           const std::string& flag) {
  if (const auto text = given.option(flag)) return read_id(flag, *text);
  return domain::OrderId(to_string(boost::uuids::random_generator()()));
}

}  // namespace inventory::cli
