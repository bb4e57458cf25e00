#include "store/postgres/write_check.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace inventory::store::postgres {
namespace {

constexpr std::string_view kInterfered = "inventory-service: to be checked: ";
constexpr std::string_view kDiffers = "inventory-service: not as written: ";
constexpr std::size_t kTextMax = 200;

// The characters of a mark. It ends at the closing quotation mark, which depends on the language.
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_0123456789- ,";

std::string_view after(std::string_view mark, std::string_view message) {
  const auto at = message.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const auto rest = message.substr(at + mark.size());
  return rest.substr(0, rest.find_first_not_of(kLetters));
}

// The second word of each "relation product", between commas.
std::vector<domain::ProductId> products_of(std::string_view list) {
  std::vector<domain::ProductId> products;
  for (auto at = list.find(' '); at != std::string_view::npos; at = list.find(' ', at + 1)) {
    domain::ProductId product = 0;
    const auto* const begin = list.data() + at + 1;
    if (std::from_chars(begin, list.data() + list.size(), product).ec == std::errc()) {
      products.push_back(product);
    }
  }
  std::ranges::sort(products);
  const auto repeated = std::ranges::unique(products);
  products.erase(repeated.begin(), repeated.end());
  return products;
}

}  // namespace

// Also tests for tables of another kind, with children, or with row security: writes may miss
// those.
std::string unless_rules(std::string_view tables, std::string_view parameter) {
  return fmt::format(R"sql(
({1}::boolean OR (
  SELECT ('{2}' || oid)::bigint FROM pg_class WHERE oid = ANY (ARRAY[{0}]::oid[]) AND
    (relkind <> 'r' OR relhasrules OR relhassubclass OR relrowsecurity)
  LIMIT 1) IS NULL))sql",
                     tables, parameter, kInterfered);
}

// Triggers of foreign keys are internal, and only read.
std::string unless_triggers(std::string_view tables, std::string_view parameter) {
  return fmt::format(R"sql(
({1}::boolean OR (
  SELECT ('{2}' || tgrelid)::bigint FROM pg_trigger WHERE tgrelid = ANY (ARRAY[{0}]::oid[]) AND
    NOT tgisinternal
  LIMIT 1) IS NULL))sql",
                     tables, parameter, kInterfered);
}

std::string fail_for(std::string_view differing) {
  return fmt::format(R"sql(
SELECT ('{1}' || string_agg(DISTINCT concat(relation, ' ', product_id), ','))::bigint
FROM ({0}) AS differing HAVING count(*) > 0)sql",
                     differing, kDiffers);
}

std::optional<WriteMark> find_mark(std::string_view sqlstate, std::string_view message) {
  if (sqlstate != "22P02") {  // invalid text representation
    return std::nullopt;
  }
  if (!after(kInterfered, message).empty()) {
    return WriteMark{.is_interfered_with = true, .differing = {}, .products = {}};
  }
  const auto list = after(kDiffers, message);
  if (list.empty()) {
    return std::nullopt;
  }
  const bool is_long = list.size() > kTextMax;
  return WriteMark{
      .is_interfered_with = false,
      .differing = std::string(list.substr(0, is_long ? list.rfind(',', kTextMax) : list.size())) +
                   (is_long ? ",..." : ""),
      .products = products_of(list)};
}

}  // namespace inventory::store::postgres
