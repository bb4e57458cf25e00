#include "contract/adjustment_message.h"

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

constexpr std::string_view kChange = R"({"adjustment_id":7,"product_id":1,"change":5})";

AdjustmentMessage read_adjustment_of(std::string_view body) {
  return read_adjustment(body, 65'536);
}

std::string adjustment_error(std::string_view body) {
  const auto message = read_adjustment_of(body);
  return message.adjustment ? "no error" : message.adjustment.error().what;
}

TEST(AdjustmentMessage, ReadsAChangeAndAQuantityToSet) {
  const auto change =
      read_adjustment_of(R"({"adjustment_id":"x","product_id":1,"change":-5,"reason":"broken"})");
  ASSERT_TRUE(change.adjustment);
  EXPECT_EQ(change.adjustment->change, -5);
  EXPECT_EQ(change.adjustment->reason, "broken");
  EXPECT_EQ(change.adjustment->ledger_identity(), "asx");
  const auto set_to =
      read_adjustment_of(R"({"adjustment_id":7,"product_id":1,"set_to":0,"expected":3})");
  ASSERT_TRUE(set_to.adjustment);
  EXPECT_EQ(set_to.adjustment->set_to, 0);
  EXPECT_EQ(set_to.adjustment->expected, 3);
}

TEST(AdjustmentMessage, SaysEachOutcomeInTheContractsWords) {
  using enum domain::Outcome;
  const auto reply = [](const domain::AdjustmentDecision& decision) {
    return adjustment_reply(read_adjustment_of(kChange), decision);
  };
  EXPECT_EQ(reply({adjusted, false, 15}),
            R"({"adjustment_id":7,"success":true,"message":"Inventory adjusted","product_id":1,)"
            R"("quantity":15})");
  EXPECT_EQ(reply({not_enough_stock, false, 2}),
            R"({"adjustment_id":7,"success":false,"message":"Not enough inventory",)"
            R"("product_id":1,"quantity":2})");
  EXPECT_EQ(reply({inventory_changed, false, 2}),
            R"({"adjustment_id":7,"success":false,"message":"Inventory has changed",)"
            R"("product_id":1,"quantity":2})");
  EXPECT_EQ(reply({product_not_found}),
            R"({"adjustment_id":7,"success":false,"message":"Product not found","product_id":1,)"
            R"("quantity":null})");
  EXPECT_EQ(reply({conflict}),
            R"({"adjustment_id":7,"success":false,"message":"Invalid adjustment: adjustment_id 7 )"
            R"(was already decided for product 1 with another change","product_id":1,)"
            R"("quantity":null})");
  EXPECT_EQ(reply({invalid}),
            R"({"adjustment_id":7,"success":false,"message":"Invalid adjustment: the stock of )"
            R"(product 1 would be more than 9007199254740991","product_id":1,"quantity":null})");
}

TEST(AdjustmentMessage, NamesTheMemberThatIsNotValid) {
  const auto with = [](std::string_view members) {
    return adjustment_error(R"({"adjustment_id":7,"product_id":1)" + std::string(members) + "}");
  };
  const std::string either = "either change or set_to must be there, and not both";
  EXPECT_EQ(adjustment_error("{}"), "adjustment_id is missing");
  EXPECT_EQ(adjustment_error(R"({"adjustment_id":7})"), "product_id is missing");
  EXPECT_EQ(with(""), either);
  EXPECT_EQ(with(R"(,"change":1,"set_to":1)"), either);
  EXPECT_EQ(with(R"(,"change":0)"), "change must not be 0");
  EXPECT_EQ(with(R"(,"change":1,"expected":1)"), "expected goes with set_to only");
  EXPECT_EQ(with(R"(,"change":1.5)"),
            "change must be an integer between -9007199254740991 and 9007199254740991");
  EXPECT_EQ(with(R"(,"set_to":-1)"), "set_to must be an integer between 0 and 9007199254740991");
  for (const char* reason : {R"(7)", R"("a\nb")", R"("\u0085")", R"("\u007f")"}) {
    EXPECT_EQ(with(R"(,"change":1,"reason":)" + std::string(reason)),
              "reason must be a string of at most 200 bytes without control characters");
  }
  EXPECT_EQ(with(R"(,"change":1,"reason":")" + std::string(200, 'x') + '"'), "no error");
  EXPECT_NE(with(R"(,"change":1,"reason":")" + std::string(201, 'x') + '"'), "no error");
}

TEST(AdjustmentMessage, RepeatsWhatIsValidOfARequestThatIsNot) {
  EXPECT_EQ(invalid_adjustment_reply(read_adjustment_of(R"({"adjustment_id":"q","product_id":0})"),
                                     "why"),
            R"({"adjustment_id":"q","success":false,"message":"Invalid adjustment: why",)"
            R"("product_id":null,"quantity":null})");
  EXPECT_EQ(invalid_adjustment_reply(read_adjustment_of("["), "why"),
            R"({"adjustment_id":null,"success":false,"message":"Invalid adjustment: why",)"
            R"("product_id":null,"quantity":null})");
}

}  // namespace
}  // namespace inventory::contract
