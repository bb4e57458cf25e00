#include "contract/confirmation_message.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "contract/expiry_message.h"

namespace inventory::contract {
namespace {

using domain::Outcome;

constexpr std::size_t kBytesMax = 65'536;

std::string reply_to(std::string_view body, const domain::ConfirmationDecision& decision) {
  return confirmation_reply(read_confirmation(body, kBytesMax), decision);
}

TEST(ConfirmationMessage, TakesWhatWasSentAsAnOrder) {
  const auto one = read_confirmation(
      R"({"order_id":"A","product_id":1,"quantity":2,"hold_seconds":900,"line_id":4})", kBytesMax);
  ASSERT_TRUE(one.confirmation) << one.confirmation.error().what;
  EXPECT_EQ(one.confirmation->order_ledger_identity(), "l2:i4sA");
  EXPECT_EQ(one.confirmation->items.front().quantity, 2);
  const auto several = read_confirmation(
      R"({"order_id":7,"items":[{"product_id":1},{"product_id":5,"quantity":1}]})", kBytesMax);
  ASSERT_TRUE(several.confirmation);
  EXPECT_EQ(several.confirmation->items.size(), 2U);
  EXPECT_FALSE(several.confirmation->items.front().quantity);
}

TEST(ConfirmationMessage, SaysWhatIsWrong) {
  const auto message = read_confirmation(R"({"order_id":7})", kBytesMax);
  ASSERT_FALSE(message.confirmation);
  EXPECT_EQ(invalid_confirmation_reply(message, message.confirmation.error().what),
            R"({"order_id":7,"success":false,"message":"Invalid confirmation: product_id is )"
            R"(missing","order_data":{"order_id":7}})");
}

TEST(ConfirmationMessage, RepliesAsTheContractSays) {
  constexpr std::string_view kBody = R"({"order_id":"A","product_id":1})";
  const std::string start = R"({"order_id":"A","success":)";
  const std::string end = R"(","order_data":{"order_id":"A","product_id":1}})";
  const std::pair<Outcome, std::string_view> texts[] = {
      {Outcome::confirmed, R"(true,"message":"Order confirmed)"},
      {Outcome::hold_expired, R"(false,"message":"Hold expired)"},
      {Outcome::order_cancelled, R"(false,"message":"Order was cancelled)"},
      {Outcome::order_rejected, R"(false,"message":"Order was rejected)"},
      {Outcome::order_not_found, R"(false,"message":"Order not found)"}};
  for (const auto& [outcome, text] : texts) {
    EXPECT_EQ(reply_to(kBody, {.outcome = outcome}), fmt::format("{}{}{}", start, text, end));
  }
  EXPECT_EQ(
      reply_to(kBody, {.outcome = Outcome::conflict, .conflicts_with = domain::OrderItem{1, 2}}),
      start +
          R"(false,"message":"Invalid confirmation: order_id A was decided for product 1 )"
          R"(with quantity 2)" +
          end);
}

TEST(ExpiryMessage, IsReadAsItWasWritten) {
  const domain::LedgerKey hold{7, "s\"A\"\u00e9"};
  const auto read = read_expiry(expiry_body(hold), kBytesMax);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->product, 7);
  EXPECT_EQ(read->identity, hold.second);
}

TEST(ExpiryMessage, IsOfAnOrder) {
  for (const auto* body :
       {"", "{}", R"({"product_id":1})", R"({"product_id":0,"identity":"sA"})",
        R"({"product_id":1,"identity":""})", R"({"product_id":1,"identity":"csA"})",
        R"({"product_id":1,"identity":"opening"})", R"({"product_id":1,"identity":7})"}) {
    EXPECT_FALSE(read_expiry(body, kBytesMax)) << body;
  }
  EXPECT_EQ(read_expiry("{}", 1).error().reason, RequestError::Reason::too_large);
}

}  // namespace
}  // namespace inventory::contract
