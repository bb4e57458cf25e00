#include "contract/item_message.h"

#include <gtest/gtest.h>

#include "contract/timestamp.h"

namespace inventory::contract {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kItemBytesMax = 65'536;
constexpr domain::Timestamp kTime{std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 3h +
                                  123'456us};

std::string item_error(std::string_view body) {
  const auto message = read_item(body, kItemBytesMax);
  return message.error ? message.error->what : "no error";
}

TEST(Timestamp, HasSixDigitsOfASecondAndTheZone) {
  EXPECT_EQ(format_timestamp(kTime), "2026-11-23T03:00:00.123456+00:00");
  EXPECT_EQ(format_timestamp(domain::Timestamp(-1us)), "1969-12-31T23:59:59.999999+00:00");
}

TEST(ItemMessage, ReadsQuantityAndDescription) {
  const auto message = read_item(R"({"quantity":10,"description":"Blue T-shirt"})", kItemBytesMax);
  EXPECT_FALSE(message.error);
  EXPECT_EQ(message.quantity, 10);
  EXPECT_EQ(message.description, "Blue T-shirt");
}

TEST(ItemMessage, NeedsNoDescription) {
  EXPECT_EQ(item_error(R"({"quantity":0})"), "no error");
  EXPECT_EQ(item_error(R"({"quantity":0,"description":null})"), "no error");
  EXPECT_EQ(read_item(R"({"quantity":0,"description":""})", kItemBytesMax).description, "");
}

TEST(ItemMessage, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(item_error("{}"), "quantity is missing");
  for (const auto* number : {"-1", "1.0", "\"1\"", "true", "null", "9007199254740992"}) {
    EXPECT_EQ(item_error(std::string(R"({"quantity":)") + number + "}"),
              "quantity must be an integer between 0 and 9007199254740991");
  }
  for (const auto* text : {"1", "true", "[]", "{}", R"("a\u0000")"}) {
    EXPECT_EQ(item_error(std::string(R"({"quantity":1,"description":)") + text + "}"),
              "description must be null or a string of at most 10000 bytes without the character "
              "NUL");
  }
  const std::string longest(10'000, 'x');
  EXPECT_EQ(item_error(R"({"quantity":1,"description":")" + longest + "\"}"), "no error");
  EXPECT_NE(item_error(R"({"quantity":1,"description":"x)" + longest + "\"}"), "no error");
}

TEST(ItemMessage, AnswersAnAddedItemInTheContractsWords) {
  EXPECT_EQ(item_reply({.item = {7, 10, "Blue T-shirt, size M", kTime}}),
            R"({"id":7,"quantity":10,"description":"Blue T-shirt, size M",)"
            R"("created_at":"2026-11-23T03:00:00.123456+00:00","success":true,)"
            R"("message":"Item added"})");
  EXPECT_EQ(item_reply({.item = {7, 10, {}, kTime}, .replayed = true}),
            R"({"id":7,"quantity":10,"description":null,)"
            R"("created_at":"2026-11-23T03:00:00.123456+00:00","success":true,)"
            R"("message":"Item added"})");
}

TEST(ItemMessage, SaysThatAnIdentityWasUsedForAnotherItem) {
  EXPECT_EQ(item_reply({.item = {0, 10, "a", kTime}, .replayed = false, .conflicts_with = 7}),
            R"({"id":null,"quantity":10,"description":"a","created_at":null,"success":false,)"
            R"("message":"Invalid item: message_id or correlation_id was already used for item 7 )"
            R"(with another quantity, description, product_id or low_stock"})");
}

TEST(ItemMessage, StoresNoHalfOfASurrogatePair) {
  const auto message = read_item(R"({"quantity":1,"description":"\ud83d"})", kItemBytesMax);
  ASSERT_TRUE(message.error);
  EXPECT_TRUE(message.error->what.contains("surrogate pair")) << message.error->what;
  EXPECT_FALSE(read_item(R"({"quantity":1,"note":"\ud83d"})", kItemBytesMax).error);
}

TEST(ItemMessage, AnswersAnInvalidRequestWithWhatWasValid) {
  const auto message = read_item(R"({"quantity":-1,"description":"a"})", kItemBytesMax);
  EXPECT_EQ(invalid_item_reply(message, message.error->what),
            R"({"id":null,"quantity":null,"description":"a","created_at":null,"success":false,)"
            R"("message":"Invalid item: quantity must be an integer between 0 and )"
            R"(9007199254740991"})");
}

TEST(ItemMessage, DoesNotLookAtABodyThatIsTooLarge) {
  const auto message = read_item(std::string(kItemBytesMax + 1, ' '), kItemBytesMax);
  ASSERT_TRUE(message.error);
  EXPECT_EQ(message.error->reason, RequestError::Reason::too_large);
}

TEST(ItemIdentity, IsTheMessageIdOrElseTheCorrelationId) {
  EXPECT_EQ(item_identity("a", "b"), "ma");
  EXPECT_EQ(item_identity({}, "b"), "cb");
  EXPECT_EQ(item_identity("", "b"), "cb");
  EXPECT_EQ(item_identity({}, {}), std::nullopt);
  EXPECT_EQ(item_identity({}, ""), std::nullopt);
}

TEST(ItemIdentity, KeepsBytesThatAreNoTextAsHexadecimalUnderAnotherPrefix) {
  EXPECT_EQ(item_identity("\xff\x01", {}), "Mff01");
  EXPECT_EQ(item_identity({}, std::string("a\0", 2)), "C6100");
  EXPECT_EQ(item_identity("é\"\n", {}), "mé\"\n");
}

// docs/scale.md promises it, so that clients in any language can choose the same partition.
TEST(ItemPartition, IsTheBeginningOfTheSha256OfThatPropertysBytes) {
  EXPECT_EQ(item_partition("", "", 7), std::nullopt);
  EXPECT_EQ(item_partition({}, {}, 7), std::nullopt);
  EXPECT_EQ(item_partition("a", {}, 7), 0xca978112U % 7);
  EXPECT_EQ(item_partition("a", {}, 1024), 0x112U);
  EXPECT_EQ(item_partition("a", "b", 1000), item_partition("a", {}, 1000));
  EXPECT_EQ(item_partition({}, "a", 1000), item_partition("a", {}, 1000));
  EXPECT_EQ(item_partition("", "a", 1000), item_partition("a", {}, 1000));
  EXPECT_EQ(item_partition("a", {}, 1), 0U);
}

TEST(ItemPartition, IsThatOfAnyBytes) {
  EXPECT_EQ(item_partition(std::string("\xff\0", 2), {}, 1009), 0xea5dbf95U % 1009);
}

}  // namespace
}  // namespace inventory::contract
