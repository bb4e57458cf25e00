#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "order_stream.h"
#include "report.h"

namespace inventory::bench {
namespace {

using testing::HasSubstr;

std::vector<std::string> orders(const StreamOptions& options, std::size_t count) {
  OrderStream stream(options);
  std::vector<std::string> made(count);
  std::ranges::generate(made, [&] { return stream.next(); });
  return made;
}

TEST(Report, PercentilesAreNearestRanks) {
  Report report;
  for (std::uint32_t latency = 100; latency > 0; --latency) {
    report.latencies_us.push_back(latency);
  }
  EXPECT_THAT(
      to_json(report),
      HasSubstr(R"("latency_us": {"p50": 50, "p90": 90, "p99": 99, "p999": 100, "max": 100})"));
  report.latencies_us = {2, 1};
  EXPECT_THAT(to_json(report), HasSubstr(R"("p50": 1, "p90": 2)"));
}

TEST(OrderStream, RepeatsItselfWithTheSameSeedOnly) {
  EXPECT_EQ(orders({.seed = 1}, 100), orders({.seed = 1}, 100));
  const auto one = orders({.seed = 1}, 1'000);
  const auto other = orders({.seed = 2}, 1'000);
  std::set<std::string> all(one.begin(), one.end());
  all.insert(other.begin(), other.end());
  EXPECT_EQ(all.size(), 2'000U);
}

TEST(OrderStream, MakesFreshOrdersIfNoSeedIsGiven) { EXPECT_NE(orders({}, 1), orders({}, 1)); }

TEST(OrderStream, RepeatsTheShareOfOrdersThatIsAskedFor) {
  const auto made = orders({.duplicates = 0.3, .seed = 1}, 10'000);
  const std::set<std::string> different(made.begin(), made.end());
  EXPECT_NEAR(static_cast<double>(different.size()), 7'000, 200);
}

TEST(OrderStream, MakesOrdersThatHold) {
  EXPECT_THAT(orders({.hold_seconds = 900, .products = 1}, 1).front(),
              testing::EndsWith(R"("quantity": 1, "hold_seconds": 900})"));
  EXPECT_THAT(orders({.items = 2, .hold_seconds = 900}, 1).front(),
              testing::EndsWith(R"(], "hold_seconds": 900})"));
}

TEST(OrderStream, MakesOrdersOfSeveralItemsAndAdjustments) {
  EXPECT_THAT(orders({.items = 2, .products = 1}, 1).front(),
              HasSubstr(R"("items": [{"product_id": 1, "quantity": 1}, )"
                        R"({"product_id": 1, "quantity": 1}]})"));
  EXPECT_THAT(orders({.kind = Kind::adjustment, .products = 1}, 1).front(),
              testing::StartsWith(R"({"adjustment_id": ")"));
}

TEST(OrderStream, AsksForTheProductsOfAPartition) {
  EXPECT_THAT(orders({.products = 1, .partitions = 4, .partition = 3}, 1).front(),
              HasSubstr(R"("product_id": 3,)"));
  EXPECT_THAT(orders({.products = 1, .partitions = 4}, 1).front(),
              HasSubstr(R"("product_id": 4,)"));
}

TEST(OrderStream, AsksForTheFirstProductsMostIfTheSkewSaysSo) {
  const auto made = orders({.products = 100, .skew = Skew::zipf, .seed = 1}, 10'000);
  const auto count = [&](const std::string& product) {
    return std::ranges::count_if(made, [&](const std::string& order) {
      return order.contains(R"("product_id": )" + product + ",");
    });
  };
  EXPECT_GT(count("1"), 1'500);
  EXPECT_GT(count("1"), count("2"));
  EXPECT_GT(count("2"), count("50"));
}

}  // namespace
}  // namespace inventory::bench
