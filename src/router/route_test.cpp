#include "router/route.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::router {
namespace {

using ::testing::ElementsAre;

constexpr std::size_t kBytesMax = 65'536;
constexpr std::uint32_t kPartitions = 16;

amqp::Delivery delivery(std::string body) {
  amqp::Delivery one;
  one.body = std::move(body);
  return one;
}

Route route(std::string_view kind, const amqp::Delivery& request) {
  const auto row = std::ranges::find(routed_kinds(), kind, &RoutedKind::name);
  return row->choose(request, kBytesMax, kPartitions);
}

Route route(std::string_view kind, std::string body) {
  return route(kind, delivery(std::move(body)));
}

TEST(Route, IsThatOfTheProduct) {
  const Route expected{3, {19}};
  EXPECT_EQ(route("order", R"({"order_id":1,"product_id":19,"quantity":1})"), expected);
  EXPECT_EQ(route("cancellation", R"({"order_id":1,"product_id":19})"), expected);
  EXPECT_EQ(route("confirmation", R"({"order_id":1,"product_id":19})"), expected);
  EXPECT_EQ(route("adjustment", R"({"adjustment_id":1,"product_id":19,"change":-1})"), expected);
  EXPECT_EQ(route("item", R"({"product_id":19,"quantity":1})"), expected);
}

TEST(Route, ReadsAsTheServiceDoes) {
  const auto order = [](std::string_view members) {
    return route("order", R"({"order_id":1,"quantity":1,)" + std::string(members) + "}").partition;
  };
  EXPECT_EQ(order(R"("product_id":1,"product_id":2)"), 2U) << "the last one counts";
  EXPECT_EQ(order(R"("product\u005fid":5)"), 5U);
  EXPECT_EQ(order(R"("product_id":5.0)"), 0U) << "is no integer";
  EXPECT_EQ(order(R"("product_id":5e0)"), 0U);
}

TEST(Route, OfSeveralItemsIsThatOfTheFirst) {
  const auto order = [](std::string_view items) {
    return route("order", R"({"order_id":1,"items":)" + std::string(items) + "}");
  };
  const Route together = order(R"([{"product_id":35,"quantity":1},{"product_id":3,"quantity":1}])");
  EXPECT_EQ(together.partition, 3U);
  EXPECT_THAT(together.products, ElementsAre(35, 3));
  EXPECT_EQ(order(R"([{"product_id":9,"quantity":1},{"product_id":2,"quantity":1}])").partition,
            9U);
}

TEST(Route, OfWhatIsNoRequestIsPartition0) {
  for (const std::string_view kind :
       {"order", "item", "cancellation", "confirmation", "adjustment"}) {
    EXPECT_EQ(route(kind, "not JSON"), Route{0});
    EXPECT_EQ(route(kind, R"({"product_id":5})"), Route{0}) << kind;
    EXPECT_EQ(route(kind, std::string(kBytesMax + 1, ' ')), Route{0});
  }
  amqp::Delivery undecodable = delivery(R"({"order_id":1,"product_id":5,"quantity":1})");
  undecodable.undecodable = "undefined property flag";
  EXPECT_EQ(route("order", undecodable), Route{0});
}

TEST(Route, OfANewItemIsTheSameEachTimeThatItIsSent) {
  amqp::Delivery item = delivery(R"({"quantity":1})");
  EXPECT_EQ(route("item", item), Route{std::nullopt}) << "any";
  item.properties.message_id = "m-1";
  EXPECT_EQ(route("item", item), Route{2}) << "in every version";
  amqp::Delivery other = item;
  other.properties.message_id.reset();
  other.properties.correlation_id = "c-1";
  EXPECT_TRUE(route("item", other).partition);
  item.properties.message_id = "";
  EXPECT_EQ(route("item", item), Route{std::nullopt}) << "counts as none";
}

TEST(PassOn, LeavesEverythingAsItCame) {
  amqp::Delivery request = delivery(std::string("\xff\x00 body", 7));
  amqp::Properties& properties = request.properties;
  properties.content_type = "a";
  properties.content_encoding = "b";
  properties.headers.emplace("\7unknownV");
  properties.delivery_mode = 1;
  properties.priority = 9;
  properties.correlation_id = "c";
  properties.reply_to = "amq.rabbitmq.reply-to.g1h2";
  properties.expiration = "60000";
  properties.message_id = "m";
  properties.timestamp = 1;
  properties.type = "t";
  properties.user_id = "guest";
  properties.app_id = "shop";
  properties.cluster_id = "x";
  const amqp::Message message = pass_on(request, "orders.3", "guest");
  EXPECT_EQ(message.routing_key, "orders.3");
  EXPECT_EQ(message.properties, request.properties);
  EXPECT_EQ(message.body, request.body);
  EXPECT_TRUE(message.keeps_properties);
  EXPECT_TRUE(message.mandatory);
}

TEST(PassOn, AddsNothingToWhatHasNoProperties) {
  EXPECT_EQ(pass_on(delivery("x"), "q", "guest").properties, amqp::Properties());
  amqp::Delivery with_empty_table = delivery("x");
  with_empty_table.properties.headers.emplace();
  EXPECT_EQ(pass_on(with_empty_table, "q", "guest").properties, with_empty_table.properties);
}

TEST(PassOn, KeepsWhatWouldActUnderOtherNames) {
  amqp::Delivery request = delivery("x");
  request.properties.user_id = "shop";
  request.properties.headers.emplace();
  request.properties.headers->add_string("CC", "other");
  const amqp::Message message = pass_on(request, "q", "inventory");
  EXPECT_FALSE(message.properties.user_id);
  EXPECT_EQ(message.properties.headers->find_string("original-user-id"), "shop");
  EXPECT_EQ(message.properties.headers->find_string("original-CC"), "other");
  EXPECT_FALSE(message.properties.headers->find_string("CC"));
}

TEST(PassOn, LeavesOutHowOftenTheFormerQueueDeliveredIt) {
  amqp::Delivery request = delivery("x");
  request.properties.headers.emplace(std::string("\x10x-delivery-countl\0\0\0\0\0\0\0\3", 26));
  ASSERT_EQ(request.properties.headers->find_integer("x-delivery-count"), 3);
  EXPECT_FALSE(pass_on(request, "q", "guest").properties.headers);
}

TEST(PassOn, SaysWhyItCouldNotDecode) {
  amqp::Delivery request = delivery("x");
  request.undecodable = "undefined property flag";
  EXPECT_EQ(pass_on(request, "q", "guest").properties.headers->find_string("content-undecodable"),
            "undefined property flag");
}

}  // namespace
}  // namespace inventory::router
