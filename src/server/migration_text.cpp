#include "server/migration_text.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace inventory::server {
namespace {

using Origin = store::MigrationPlan::Origin;

// If tables are made, names similar tables as a hint.
std::string look_alikes(const store::MigrationPlan& plan) {
  if (plan.look_alikes.empty()) return "";
  return fmt::format(
      "; there are others that look like it: {}; search_path says where it is looked "
      "for, and it is spelled in small letters",
      fmt::join(plan.look_alikes, ", "));
}

// What an obstacle prevents: the subject and the verb.
std::pair<std::string_view, std::string_view> subject(Origin tables) {
  switch (tables) {
    case Origin::made:
      return {"a table inventory", "made"};
    case Origin::adopted:
      return {"the table inventory", "adopted"};
    case Origin::current:
      break;
  }
  return {"the schema", "migrated"};
}

}  // namespace

std::string describe(const store::MigrationPlan& plan) {
  switch (plan.tables) {
    case Origin::made:
      return fmt::format("{}: there is no table inventory, so one without any item is made{}",
                         plan.where, look_alikes(plan));
    case Origin::adopted:
      return fmt::format("{}: the table inventory is adopted with its rows", plan.where);
    case Origin::current:
      break;
  }
  return plan.missing == 0 ? fmt::format("{}: up to date", plan.where)
                           : fmt::format("{}: {} migration(s) to apply", plan.where, plan.missing);
}

std::vector<std::string> objections(const store::MigrationPlan& plan, bool require_stock) {
  std::vector<std::string> lines;
  lines.reserve(plan.obstacles.size() + 1);
  const auto [thing, done] = subject(plan.tables);
  for (const auto& obstacle : plan.obstacles) {
    lines.push_back(fmt::format("{}: {} cannot be {}: {}", plan.where, thing, done, obstacle));
  }
  if (require_stock && plan.tables == Origin::made) {
    lines.push_back(
        fmt::format("{}: --require-stock, and there is no table inventory{}; to make it "
                    "without any item: inventory-service migrate --require-stock=false",
                    plan.where, look_alikes(plan)));
  }
  return lines;
}

}  // namespace inventory::server
