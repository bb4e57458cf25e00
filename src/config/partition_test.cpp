#include "config/partition.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "domain/partition.h"

namespace inventory::config {
namespace {

using ::testing::ElementsAre;

std::expected<LoadedConfiguration, std::string> load_with(FlagValues flags) {
  return load_configuration(
      flags, [](const auto&) { return std::optional<std::string>(); }, std::nullopt);
}

Configuration in(std::uint32_t number, FlagValues flags) {
  flags.emplace("partition", "all/16");
  return in_partition(load_with(std::move(flags))->configuration, number);
}

TEST(Partition, HoldsEachProductOnce) {
  for (const domain::ProductId product : {-17, -1, 0, 1, 15, 16, 35}) {
    int holders = 0;
    for (std::uint32_t number = 0; number < 16; ++number) {
      holders += domain::Partition{number, 16}.holds(product) ? 1 : 0;
    }
    EXPECT_EQ(holders, 1) << product;
  }
  EXPECT_EQ(domain::partition_of(35, 16), 3U);
  EXPECT_EQ(domain::partition_of(-1, 16), 15U);
}

TEST(Partition, IsANumberOfACountOrAllOfThem) {
  const auto read = [](const char* text) {
    return load_with({{"partition", text}})->configuration.partitions;
  };
  EXPECT_EQ(read("none"), std::nullopt);
  EXPECT_EQ(read("3/16"), (Partitions{.count = 16, .number = 3}));
  EXPECT_EQ(read("0/1"), (Partitions{.count = 1, .number = 0}));
  EXPECT_EQ(read("all/1024"), (Partitions{.count = 1024}));
  for (const char* wrong : {"", "3", "16/16", "0/0", "all/1025", "-1/16", "3/", "/16", "3/16/2"}) {
    const auto loaded = load_with({{"partition", wrong}});
    ASSERT_FALSE(loaded) << wrong;
    EXPECT_THAT(loaded.error(), ::testing::StartsWith("partition (flag --partition) takes NUMBER"));
  }
}

TEST(Partition, HasQueuesForRequestsOfItsOwn) {
  const auto three = in(3, {{"adjust-queue", "none"}});
  EXPECT_THAT(three.request_queues(),
              ElementsAre("order_validate.3", "inventory_new_item.3", "order_cancel.3",
                          "order_confirm.3", "order_validate.expiry.3"));
  EXPECT_EQ(three.order_response_queue, "order_validate_response");
  EXPECT_EQ(three.partitions, (Partitions{.count = 16, .number = 3}));
}

TEST(Partition, HasASchemaAndPerhapsADatabaseOfItsOwn) {
  const auto shared = in(3, {{"database-url", "postgresql://u@h/d"}});
  EXPECT_EQ(shared.database, DatabaseUrl(PostgresUrl{"postgresql://u@h/d", "inventory_3"}));
  const auto own = in(12, {{"database-url", "postgresql://u@h{partition}/d{partition}"},
                           {"read-database-url", "sqlite:read-{partition}.db"}});
  EXPECT_EQ(own.database, DatabaseUrl(PostgresUrl{"postgresql://u@h12/d12", "inventory_12"}));
  EXPECT_EQ(own.read_database, DatabaseUrl(SqlitePath{"read-12.db"}));
}

TEST(Partition, NeedsAFileOfItsOwn) {
  const auto shared = load_with({{"partition", "3/16"}, {"database-url", "sqlite:stock.db"}});
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error(),
            "database-url (flag --database-url) takes a file for each partition (flag "
            "--partition): write {partition} in its name: sqlite:inventory-{partition}.db");
  EXPECT_TRUE(load_with({{"partition", "0/1"}, {"database-url", "sqlite:stock.db"}}));
  const auto by_default = in(3, {});
  EXPECT_EQ(by_default.database, DatabaseUrl(SqlitePath{"inventory-3.db"}));
  EXPECT_EQ(by_default.read_database, by_default.database);
  EXPECT_TRUE(load_with({{"partition", "3/16"}, {"database-url", "postgresql://u@h/d"}}));
  const auto nowhere = load_with({{"database-url", "postgresql://u@h/d{partition}"}});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error(),
            "database-url (flag --database-url) takes no {partition} without a partition "
            "(default)");
}

TEST(Partition, HasRoomForItsNumberBehindTheNamesOfQueues) {
  const auto with_queue = [](std::size_t bytes) {
    return load_with({{"partition", "0/1024"},
                      {"database-url", "postgresql://u@h/d"},
                      {"adjust-queue", std::string(bytes, 'a')}});
  };
  EXPECT_TRUE(with_queue(246));
  ASSERT_FALSE(with_queue(247));
  EXPECT_THAT(with_queue(247).error(),
              ::testing::StartsWith("adjust-queue (flag --adjust-queue) takes a shorter name"));
}

TEST(Partition, IsThatOfTheProducts) {
  const auto undivided = load_with({})->configuration;
  EXPECT_EQ(in_partition_of(undivided, {5})->order_queue, "order_validate");
  EXPECT_EQ(partition_of(undivided), std::nullopt);
  EXPECT_EQ(in_each_partition(undivided).size(), 1U);

  const auto all =
      load_with({{"partition", "all/4"}, {"database-url", "postgresql://u@h/d"}})->configuration;
  EXPECT_EQ(in_partition_of(all, {5, 9})->order_queue, "order_validate.1");
  EXPECT_EQ(in_partition_of(all, {5, 6}).error(),
            "its items lie in different partitions; hold and confirm them one by one");
  EXPECT_EQ(partition_of(all), std::nullopt);
  EXPECT_EQ(in_each_partition(all).size(), 4U);
  EXPECT_EQ(request_queues(all).size(), 24U);

  const auto one =
      load_with({{"partition", "3/4"}, {"database-url", "postgresql://u@h/d"}})->configuration;
  EXPECT_EQ(in_partition_of(one, {}).value().item_queue, "inventory_new_item.3");
  EXPECT_EQ(in_partition_of(one, {5}).error(), "product 5 is in partition 1 of 4, this is 3");
  EXPECT_EQ(partition_of(one), (domain::Partition{.number = 3, .count = 4}));
}

}  // namespace
}  // namespace inventory::config
