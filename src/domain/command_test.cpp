#include "domain/command.h"

#include <vector>

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

class News : public ::testing::Test {
 protected:
  News() { tables_.stock[1] = {.quantity = 10, .version = 3, .low_stock = 2}; }

  std::vector<StockNews> decide(const std::vector<Command>& commands) {
    std::vector<StockNews> news;
    tables_.decide(commands, nullptr, &news);
    return news;
  }

  static Order order(int id, Quantity quantity, ProductId product = 1) {
    return {.id = OrderId(id), .product = product, .quantity = quantity};
  }
  static Adjustment delivery(int id, Quantity change) {
    return {.id = OrderId(id), .product = 1, .change = change};
  }

  MemoryTables tables_;
};

TEST_F(News, ComeOnceForAProductWithWhatTheBatchHasLeft) {
  const auto news = decide({order(1, 2), order(2, 3), order(3, 100)});
  ASSERT_EQ(news.size(), 1);
  EXPECT_EQ(news[0], (StockNews{.product = 1,
                                .before = Stock{.quantity = 10, .version = 3, .low_stock = 2},
                                .after = {.quantity = 5, .version = 5, .low_stock = 2},
                                .command = 1}));
  EXPECT_TRUE(is_told(news[0], Telling::all));
  EXPECT_FALSE(is_told(news[0], Telling::levels));
}

TEST_F(News, AreToldWhereTheLevelIsAnother) {
  EXPECT_TRUE(is_told(decide({order(1, 8)}).at(0), Telling::levels));   // low
  EXPECT_FALSE(is_told(decide({order(2, 1)}).at(0), Telling::levels));  // still low
  EXPECT_TRUE(is_told(decide({order(3, 1)}).at(0), Telling::levels));   // out
  EXPECT_TRUE(is_told(decide({delivery(4, 9)}).at(0), Telling::levels));
}

TEST_F(News, AreNotToldWhereABatchLeavesWhatThereWas) {
  const auto news = decide({order(1, 10), delivery(2, 10)});
  ASSERT_EQ(news.size(), 1);
  EXPECT_EQ(news[0].after.version, 5);
  EXPECT_FALSE(is_told(news[0], Telling::levels));
  EXPECT_FALSE(is_told(news[0], Telling::all));
}

TEST_F(News, OfRepeatedRequestsAreToldAsThingsAreNow) {
  decide({order(1, 10)});
  decide({delivery(2, 1)});
  const auto news = decide({order(1, 10)});
  ASSERT_EQ(news.size(), 1);
  EXPECT_TRUE(news[0].is_repeated);
  EXPECT_EQ(news[0].after, (Stock{.quantity = 1, .version = 5, .low_stock = 2}));
  EXPECT_TRUE(is_told(news[0], Telling::levels));
}

TEST_F(News, DoNotComeOfWhatChangesNothing) {
  EXPECT_TRUE(decide({order(1, 100), order(2, 1, 99)}).empty());
  decide({order(3, 1)});
  EXPECT_TRUE(decide({order(3, 2)}).empty());  // a conflict: not recognised when it comes again
}

// The request that waits for them must be news again if it comes again.
TEST_F(News, WaitWithTheLastRequestThatIsRecognised) {
  EXPECT_EQ(decide({order(1, 1), order(2, 1), order(1, 7)}).at(0).command, 1);
}

TEST_F(News, OfANewItemSayHowItBegan) {
  const NewItem item{
      .identity = "m1", .quantity = 4, .description = {}, .created_at = {}, .low_stock = 5};
  const auto news = decide({item});
  ASSERT_EQ(news.size(), 1);
  EXPECT_EQ(news[0].after, (Stock{.quantity = 4, .version = 0, .low_stock = 5}));
  EXPECT_TRUE(is_told(news[0], Telling::levels));
  decide({order(1, 1, news[0].product)});
  const auto again = decide({item});
  ASSERT_EQ(again.size(), 1);
  EXPECT_EQ(again[0].after, news[0].after);
  EXPECT_TRUE(again[0].is_repeated);
}

TEST_F(News, OfAnItemWithAChosenIdAreLikeThoseOfAnyProduct) {
  const NewItem item{.identity = "m1",
                     .quantity = 4,
                     .description = {},
                     .created_at = {},
                     .chosen_id = 7,
                     .low_stock = 5};
  const auto news = decide({item});
  ASSERT_EQ(news.size(), 1);
  EXPECT_EQ(news[0].before, std::nullopt);
  EXPECT_EQ(news[0].after, (Stock{.quantity = 4, .version = 0, .low_stock = 5}));
  decide({order(1, 4, 7)});
  EXPECT_EQ(decide({item}).at(0).after, (Stock{.quantity = 0, .version = 1, .low_stock = 5}));
}

TEST(OrderIdentity, IsReadAsItIsWritten) {
  for (const OrderName& name :
       {OrderName{OrderId(42)}, OrderName{OrderId(-1)}, OrderName{OrderId("42")},
        OrderName{OrderId("A-17"), OrderId(10)}, OrderName{OrderId(7), OrderId("l3:i10")}}) {
    EXPECT_EQ(read_order_identity(order_identity(name.id, name.line)), name);
  }
  for (const auto* none :
       {"", "opening", "i", "i4x", "l", "l3", "l3:", "l9:i1i2", "lx:i1i2", "ai4"}) {
    EXPECT_EQ(read_order_identity(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace inventory::domain
