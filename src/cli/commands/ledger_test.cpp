#include "cli/commands/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

LedgerOptions options_of_ledger(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"ledger", "--product-id", "7"});
  return test::read_by(read_ledger, arguments);
}

std::string error_of_ledger(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"ledger", "--product-id", "7"});
  return test::error_of(arguments);
}

TEST(Ledger, IsOfAProductOrOfAnOrder) {
  const auto product = options_of_ledger({});
  EXPECT_EQ(product.search.product, 7);
  EXPECT_TRUE(product.search.ids.empty());
  EXPECT_EQ(product.limit, 100U);
  const auto order = options_of_ledger({"--order-id", "42", "--line-id", "x", "--json"});
  EXPECT_THAT(order.search.ids, ElementsAre(domain::OrderId(42), domain::OrderId("42")));
  EXPECT_THAT(order.search.lines, ElementsAre(domain::OrderId("x")));
  EXPECT_TRUE(order.json);
}

TEST(Ledger, GoesOnWhereAPageEnded) {
  const store::EntryPlace place{.time = "1", .version = 2, .is_change = true, .identity = "i3"};
  const auto options = options_of_ledger({"--before", server::place_text(place), "--limit", "5"});
  EXPECT_EQ(options.before, place);
  EXPECT_EQ(options.limit, 5U);
}

TEST(Ledger, SaysWhatIsWrong) {
  EXPECT_THAT(test::error_of({"ledger"}), HasSubstr("--product-id is missing"));
  EXPECT_THAT(error_of_ledger({"--order-id", ""}), HasSubstr("--order-id takes an integer"));
  EXPECT_THAT(error_of_ledger({"--line-id", "1"}), HasSubstr("--line-id goes with --order-id"));
  EXPECT_THAT(error_of_ledger({"--order-id", "1", "--limit", "1"}), HasSubstr("go without"));
  EXPECT_THAT(error_of_ledger({"--order-id", "1", "--before", "00"}), HasSubstr("go without"));
  EXPECT_THAT(error_of_ledger({"--before", "x"}), HasSubstr("--before takes"));
  EXPECT_THAT(error_of_ledger({"--limit", "0"}), HasSubstr("--limit takes"));
}

TEST(Ledger, PrintsALineForAPerson) {
  EXPECT_EQ(
      ledger_line({.identity = "sA-17",
                   .outcome = "not_enough_stock",
                   .quantity = 2,
                   .delta = 0,
                   .quantity_after = 1,
                   .decided_at = domain::Timestamp(std::chrono::seconds(1'795'402'800)),
                   .place = {}}),
      "2026-11-23 03:00:00  order         not enough stock              2          0          "
      "1  \"A-17\"                                -");
  EXPECT_THAT(ledger_line({.identity = "i42", .outcome = "accepted", .place = {}}),
              HasSubstr("  42  "));
  EXPECT_THAT(ledger_line({.identity = "correction 1", .outcome = "of a newer one", .place = {}}),
              testing::AllOf(HasSubstr("  correction    of a newer one"),
                             HasSubstr("  correction 1  "), HasSubstr("-                  ")));
  EXPECT_EQ(ledger_head().find("ID"), ledger_line({.identity = "i1", .place = {}}).find("1 "));
}

TEST(Ledger, PrintsNothingThatATerminalObeys) {
  const std::string hostile = "\x1b]0;x\x07\xC2\x9B\xE2\x80\xAE\n";
  const auto line =
      ledger_line({.identity = "s" + hostile, .outcome = hostile, .reason = hostile, .place = {}}) +
      ledger_line({.identity = hostile, .place = {}});
  for (const char* harmful : {"\x1b", "\x07", "\xC2\x9B", "\xE2\x80\xAE", "\n"}) {
    EXPECT_THAT(line, Not(HasSubstr(harmful)));
  }
  EXPECT_THAT(line, HasSubstr(R"("\u001b]0;x\u0007\u009b\u202e\n")"));
}

TEST(Ledger, PrintsWhetherAnOrderIsHeldAndUntilWhen) {
  server::OrderStory story{.name = {domain::OrderId("A-17"), domain::OrderId(4)}, .state = "held"};
  story.held = 2;
  story.held_until = domain::Timestamp(std::chrono::seconds(1'795'402'800));
  EXPECT_EQ(story_line(story), "order \"A-17\" line 4: held, 2 until 2026-11-23 03:00:00");
  EXPECT_EQ(story_line({.name = {domain::OrderId(1)}, .state = "rejected"}), "order 1: rejected");
}

}  // namespace
}  // namespace inventory::cli
