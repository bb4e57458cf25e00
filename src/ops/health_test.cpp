#include "ops/health.h"

#include <vector>

#include <gtest/gtest.h>

namespace inventory::ops {
namespace {

TEST(Readiness, IsOneWordWhereNobodyAsksForMore) {
  const auto response = readiness(std::vector<HealthCheck>{{"broker", ""}}, false);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "ok\n");
}

TEST(Readiness, ListsItsChecksOnRequest) {
  const auto response = readiness(std::vector<HealthCheck>{{"broker", ""}, {"schema", ""}}, true);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "[+]broker ok\n[+]schema ok\nreadyz check passed\n");
}

TEST(Readiness, DoesNotFailForANote) {
  const std::vector<HealthCheck> checks{{"broker", ""}, {"limit", "", "there is\none"}};
  EXPECT_EQ(readiness(checks, false).body, "ok\n");
  EXPECT_EQ(readiness(checks, true).body,
            "[+]broker ok\n[+]limit ok: there is one\nreadyz check passed\n");
}

TEST(Readiness, ListsItsChecksUnaskedWhenOneFailsAndKeepsEachInOneLine) {
  const std::vector<HealthCheck> checks{{"broker", "no route\n[+]forged ok"}, {"schema", ""}};
  const auto response = readiness(checks, false);
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, "[-]broker no route [+]forged ok\n[+]schema ok\nreadyz check failed\n");
}

}  // namespace
}  // namespace inventory::ops
