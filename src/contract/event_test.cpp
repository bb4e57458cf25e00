#include "contract/event.h"

#include <chrono>

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

constexpr domain::Timestamp kNow{std::chrono::seconds(1'795'000'000)};

TEST(Event, TellsStockAsACloudEvent) {
  const auto event = stock_event(1, {.quantity = 0, .version = 17, .low_stock = 2}, kNow);
  EXPECT_EQ(event.topic, Topic::stock_out);
  EXPECT_EQ(event.id, "1-17");
  EXPECT_EQ(event.body,
            R"({"specversion":"1.0","id":"1-17","source":"inventory-service",)"
            R"("type":"inventory.stock","subject":"1","time":"2026-11-18T11:06:40.000000+00:00",)"
            R"("datacontenttype":"application/json","data":)"
            R"({"product_id":1,"quantity":0,"level":"out","version":17}})");
}

TEST(Event, TellsTheLevelByTheProductsOwnLimit) {
  EXPECT_EQ(stock_event(1, {.quantity = 2, .low_stock = 2}, kNow).topic, Topic::stock_low);
  EXPECT_EQ(stock_event(1, {.quantity = 3, .low_stock = 2}, kNow).topic, Topic::stock_in);
  EXPECT_EQ(stock_event(1, {.quantity = 1}, kNow).topic, Topic::stock_in);
  EXPECT_EQ(stock_event(1, {.quantity = 0, .low_stock = 0}, kNow).topic, Topic::stock_out);
}

TEST(Event, NamesTheOrderOfAHoldAsItsSenderDid) {
  const auto data = [](const char* identity) {
    const auto event = expired_event({.product = 5, .identity = identity}, 3, 8, kNow);
    EXPECT_EQ(event.id, "5-8-expired");
    EXPECT_EQ(event.topic, Topic::hold_expired);
    return event.body.substr(event.body.find(R"("data":)"));
  };
  EXPECT_EQ(data("i42"), R"("data":{"order_id":42,"product_id":5,"quantity":3}})");
  EXPECT_EQ(data("s4\"2"), R"("data":{"order_id":"4\"2","product_id":5,"quantity":3}})");
  EXPECT_EQ(data("l3:i10sA-17"),
            R"("data":{"order_id":"A-17","line_id":10,"product_id":5,"quantity":3}})");
}

TEST(Event, TellsAnItemAsItsReplyDoes) {
  const auto event =
      added_event({.id = 7, .quantity = 10, .description = "Blue \"T\"", .created_at = kNow}, kNow);
  EXPECT_EQ(event.id, "7-added");
  EXPECT_EQ(event.topic, Topic::item_added);
  EXPECT_TRUE(event.body.ends_with(R"("data":{"id":7,"quantity":10,"description":"Blue \"T\"",)"
                                   R"("created_at":"2026-11-18T11:06:40.000000+00:00"}})"))
      << event.body;
}

TEST(Event, IsTheSameWithTheSameId) {
  const domain::Stock stock{.quantity = 4, .version = 2};
  EXPECT_EQ(stock_event(1, stock, kNow), stock_event(1, stock, kNow));
}

}  // namespace
}  // namespace inventory::contract
