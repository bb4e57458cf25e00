#include "server/readiness.h"

#include <set>

#include <gtest/gtest.h>

namespace inventory::server {
namespace {

using service::Condition;

std::set<std::string> failing(Condition orders, Condition items) {
  const std::vector<QueueStatus> queues{{"orders", {orders, "why"}}, {"items", {items, "why"}}};
  std::set<std::string> names;
  for (const auto& check : readiness_checks(queues, "")) {
    if (!check.problem.empty()) names.insert(check.name);
  }
  return names;
}

TEST(ReadinessChecks, PassWhereBothQueuesAreConsumed) {
  EXPECT_EQ(failing(Condition::consuming, Condition::consuming), std::set<std::string>());
}

TEST(ReadinessChecks, FailForEveryOtherCondition) {
  using Names = std::set<std::string>;
  const std::pair<Condition, Names> cases[] = {
      {Condition::starting, {"broker"}},           {Condition::database_unavailable, {"database"}},
      {Condition::paused, {"database", "paused"}}, {Condition::broker_unavailable, {"broker"}},
      {Condition::blocked, {"blocked"}},           {Condition::rejected, {"blocked"}},
      {Condition::stopping, {"draining"}},         {Condition::stopped, {"draining"}},
  };
  for (const auto& [condition, names] : cases) {
    EXPECT_EQ(failing(condition, Condition::consuming), names) << to_string(condition);
    EXPECT_EQ(failing(Condition::consuming, condition), names) << to_string(condition);
  }
}

TEST(ReadinessChecks, FailWhileTheSchemaIsNotUpToDate) {
  const auto checks = readiness_checks({}, "it is newer");
  EXPECT_EQ(checks[2].name, "schema");
  EXPECT_EQ(checks[2].problem, "it is newer");
  EXPECT_EQ(readiness_checks({}, "")[2].problem, "");
}

TEST(ReadinessChecks, NoteHoldsThatAreNotAskedForAndFailOnlyWithoutADatabase) {
  const auto noted = readiness_checks({}, "", {"the queue does not take the requests"});
  EXPECT_EQ(noted[6].name, "holds");
  EXPECT_EQ(noted[6].problem, "");
  EXPECT_EQ(noted[6].note, "the queue does not take the requests");
  const auto failing = readiness_checks({}, "", {"no database", true});
  EXPECT_EQ(failing[6].problem, "no database");
  EXPECT_EQ(failing[6].note, "");
}

TEST(ReadinessChecks, NoteADeliveryLimitWithoutFailing) {
  const std::vector<QueueStatus> queues{{"orders", {Condition::consuming, ""}, "it drops"},
                                        {"items", {Condition::consuming, ""}}};
  const auto checks = readiness_checks(queues, "");
  EXPECT_EQ(checks.back().name, "delivery_limit");
  EXPECT_EQ(checks.back().problem, "");
  EXPECT_EQ(checks.back().note, "orders: it drops");
}

TEST(ReadinessChecks, SayWhichQueueAndWhy) {
  const std::vector<QueueStatus> queues{
      {"orders", {Condition::broker_unavailable, "connection refused"}},
      {"items", {Condition::starting, ""}}};
  EXPECT_EQ(readiness_checks(queues, "")[0].problem, "orders: connection refused; items: starting");
}

}  // namespace
}  // namespace inventory::server
