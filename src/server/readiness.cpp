#include "server/readiness.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace inventory::server {
namespace {

using service::Condition;

struct Check {
  const char* name;
  std::array<Condition, 2> fails_for;
};

// Flows pause because of the database.
constexpr Check kChecks[] = {
    {"broker", {Condition::starting, Condition::broker_unavailable}},
    {"database", {Condition::database_unavailable, Condition::paused}},
    {"draining", {Condition::stopping, Condition::stopped}},
    {"blocked", {Condition::blocked, Condition::rejected}},
    {"paused", {Condition::paused, Condition::paused}},
};

}  // namespace

std::vector<ops::HealthCheck> readiness_checks(std::span<const QueueStatus> queues,
                                               const std::string& schema_problem,
                                               const SweeperStatus& sweeper) {
  std::vector<ops::HealthCheck> checks;
  for (const auto& [name, fails_for] : kChecks) {
    ops::HealthCheck check{name, ""};
    for (const auto& [queue, status, _] : queues) {
      if (std::ranges::find(fails_for, status.condition) == fails_for.end()) {
        continue;
      }
      const auto reason =
          status.reason.empty() ? std::string(to_string(status.condition)) : status.reason;
      check.problem += fmt::format("{}{}: {}", check.problem.empty() ? "" : "; ", queue, reason);
    }
    checks.push_back(std::move(check));
  }
  checks.insert(checks.begin() + 2, {"schema", schema_problem});
  const auto& [problem, has_outage] = sweeper;
  checks.push_back({"holds", has_outage ? problem : "", has_outage ? "" : problem});
  ops::HealthCheck limit{"delivery_limit", ""};
  for (const auto& [queue, status, note] : queues) {
    if (note.empty()) continue;
    limit.note += fmt::format("{}{}: {}", limit.note.empty() ? "" : "; ", queue, note);
  }
  checks.push_back(std::move(limit));
  return checks;
}

}  // namespace inventory::server
