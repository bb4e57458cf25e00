#include "cli/commands/adjust.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/partitions.h"
#include "cli/request_client.h"
#include "config/integer.h"
#include "contract/adjustment_message.h"
#include "contract/json_object.h"
#include "contract/limits.h"
#include "contract/order_parts.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

using contract::kIntegerMax;
using contract::kReasonBytesMax;
using Read = std::expected<void, std::string>;

int adjust(const config::Configuration& configuration, const AdjustOptions& options) {
  return ask(configuration,
             same_request(configuration.adjust_queue, adjustment_request(options.adjustment)),
             options.timeout);
}

std::vector<domain::ProductId> adjusted_products(const AdjustOptions& options) {
  return {options.adjustment.product};
}

Read read_terms(const Arguments& given, domain::Adjustment& to) {
  if (const auto text = given.option("--change")) {
    const auto change = read_change("--change", *text);
    if (!change) return Wrong(change.error());
    to.change = *change;
  }
  const auto set_to = read_optional_integer(given, "--set-to", 0, kIntegerMax);
  if (!set_to) return Wrong(set_to.error());
  to.set_to = *set_to;
  const auto expected = read_optional_integer(given, "--expected", 0, kIntegerMax);
  if (!expected) return Wrong(expected.error());
  to.expected = *expected;
  if (auto text = given.option("--reason")) {
    auto reason = read_adjustment_reason("--reason", *std::move(text));
    if (!reason) return Wrong(std::move(reason.error()));
    to.reason = *std::move(reason);
  }
  if (to.change && to.set_to) return Wrong("--change and --set-to exclude each other");
  if (!to.change && !to.set_to) return Wrong("--change or --set-to is missing");
  if (to.change && to.expected) return Wrong("--expected goes with --set-to only");
  return {};
}

Prepared prepare_adjust(const Arguments& given, const config::Configuration& configuration) {
  if (configuration.adjust_queue.empty())
    return Wrong("--adjust-queue is none: it is switched off");
  return prepared_for(read_adjust(given), configuration, adjusted_products, adjust);
}

}  // namespace

std::expected<domain::Quantity, std::string> read_change(const std::string& name,
                                                         std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  const auto number = config::parse_integer(digits);
  if (number && *number != 0 && *number >= -kIntegerMax && *number <= kIntegerMax) return *number;
  return Wrong(
      fmt::format("{} takes a whole number other than 0, at most {} up or down, such as +5 "
                  "or -3; not {}",
                  name, kIntegerMax, config::quoted_for_message(text)));
}

std::expected<std::string, std::string> read_adjustment_reason(const std::string& name,
                                                               std::string text) {
  if (terminal::is_utf8(text) && contract::is_reason(text)) return text;
  return Wrong(fmt::format("{} takes at most {} bytes of UTF-8 without control characters", name,
                           kReasonBytesMax));
}

std::expected<AdjustOptions, std::string> read_adjust(const Arguments& given) {
  const auto product = read_integer("--product-id", given.option("--product-id"), 1, kIntegerMax);
  if (!product) return Wrong(product.error());
  auto id = read_id_or_new(given, "--adjustment-id");
  if (!id) return Wrong(std::move(id.error()));
  domain::Adjustment adjustment{.id = *std::move(id), .product = *product};
  if (auto read = read_terms(given, adjustment); !read) return Wrong(std::move(read.error()));
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return AdjustOptions{.adjustment = std::move(adjustment), .timeout = *timeout};
}

Command adjust_command() {
  return {
      .name = "adjust",
      .summary = "Change or set the stock of a product, and print the reply",
      .description =
          "For deliveries, losses, corrections and counts. The ledger keeps each adjustment with\n"
          "its reason.\n\n"
          "Examples:\n"
          "  inventory-service adjust --product-id 1 --change +5 --reason \"delivery 17\"\n"
          "  inventory-service adjust --product-id 1 --set-to 20 --expected 18\n\n"
          "Exit codes: 0 adjusted; 1 rejected; 2 wrong command line or setting; 3 no answer in\n"
          "time.",
      .options = {{"--product-id", "N", fmt::format("from 1 to {}; required", kIntegerMax)},
                  {"--change", "N", "add or remove this quantity: +5, -3; either this"},
                  {"--set-to", "N", "or this: set the stock to this quantity, 0 or more"},
                  {"--expected", "N", "with --set-to: set the stock only if it is this now"},
                  {"--reason", "TEXT",
                   fmt::format("kept in the ledger; at most {} bytes", kReasonBytesMax)},
                  {"--adjustment-id", "ID",
                   "the same id is the same adjustment; a new UUID if not given"},
                  timeout_option("the reply")},
      .prepare = prepare_adjust,
  };
}

std::string adjustment_request(const domain::Adjustment& adjustment) {
  std::string json = R"({"adjustment_id":)";
  contract::append_id(json, adjustment.id);
  json += fmt::format(R"(,"product_id":{})", adjustment.product);
  if (adjustment.change) json += fmt::format(R"(,"change":{})", *adjustment.change);
  if (adjustment.set_to) json += fmt::format(R"(,"set_to":{})", *adjustment.set_to);
  if (adjustment.expected) json += fmt::format(R"(,"expected":{})", *adjustment.expected);
  if (adjustment.reason) {
    json += R"(,"reason":)";
    contract::append_json_string(json, *adjustment.reason);
  }
  return json += '}';
}

}  // namespace inventory::cli
