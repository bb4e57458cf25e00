#include "cli/commands/dead_letters/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"
#include "contract/timestamp.h"

namespace inventory::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Action = DeadLettersOptions::Action;

DeadLettersOptions options_of(Action action, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "dead-letters");
  const auto invocation = test::parse(arguments);
  if (!invocation) throw std::runtime_error(invocation.error().text);
  return test::read_by(
      [&](const Arguments& given) {
        return read_dead_letters(given, action, invocation->configuration);
      },
      arguments);
}

std::string error_of_dead_letters(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "dead-letters");
  const auto invocation = test::parse(arguments);
  if (invocation) return "no error";
  EXPECT_EQ(invocation.error().code, 2);
  return invocation.error().text;
}

TEST(DeadLettersOptions, MeanAllQueuesWhereNoneIsNamed) {
  const auto command = options_of(Action::list, {"list"});
  EXPECT_EQ(command.action, Action::list);
  EXPECT_THAT(command.request_queues,
              ElementsAre("order_validate", "inventory_new_item", "order_cancel", "order_confirm",
                          "inventory_adjust", "order_validate.expiry"));
  EXPECT_FALSE(command.named);
  EXPECT_THAT(options_of(Action::list, {"--adjust-queue", "none", "list"}).request_queues,
              ElementsAre("order_validate", "inventory_new_item", "order_cancel", "order_confirm",
                          "order_validate.expiry"));
  EXPECT_FALSE(command.limit || command.json);
}

TEST(DeadLettersOptions, NameARequestQueueOrItsDeadLetterQueue) {
  for (const char* name : {"orders", "orders.dlq"}) {
    EXPECT_THAT(options_of(Action::list, {"--order-queue", "orders", "list", "--queue", name})
                    .request_queues,
                ElementsAre("orders"));
  }
  EXPECT_THAT(
      error_of_dead_letters({"list", "--queue", "other"}),
      HasSubstr(
          R"(--queue takes "order_validate", "inventory_new_item", "order_cancel", )"
          R"("order_confirm", "inventory_adjust", "order_validate.expiry", or one of these with .undelivered behind it; not "other")"));
}

TEST(DeadLettersOptions, NameAQueueOfRepliesThatWereKept) {
  const auto command = options_of(
      Action::list, {"--order-queue", "orders", "list", "--queue", "orders.undelivered"});
  EXPECT_THAT(command.request_queues, ElementsAre("orders"));
  EXPECT_TRUE(command.kept_replies);
}

TEST(DeadLettersOptions, AreFilters) {
  const auto filter =
      options_of(Action::replay,
                 {"replay", "--reason", "invalid", "--older-than", "90s", "--newer-than=2d",
                  "--text", "a b", "--id", "7", "--failed-at=2026-11-23T03:00:00.123456+00:00"})
          .filter;
  EXPECT_EQ(filter.reason, "invalid");
  EXPECT_EQ(filter.older_than, 90s);
  EXPECT_EQ(filter.newer_than, 48h);
  EXPECT_EQ(filter.text, "a b");
  EXPECT_EQ(filter.id, "7");
  EXPECT_EQ(filter.failed_at, contract::parse_timestamp("2026-11-23T03:00:00.123456+00:00"));
  for (const char* time : {"", "now", "2026-11-23", "2026-11-23T03:00:00Z"}) {
    EXPECT_THAT(error_of_dead_letters({"list", "--failed-at", time}),
                HasSubstr("--failed-at takes a time as the header failed-at has it"));
  }
  for (const char* age : {"", "2", "h", "-1h", "1.5h", "2w", "3651d", "99999999999999999999s"}) {
    EXPECT_THAT(error_of_dead_letters({"list", "--older-than", age}),
                HasSubstr("--older-than takes a number with a unit, such as 90s, 5m, 2h or 7d"))
        << age;
  }
}

TEST(DeadLettersOptions, TakeOnlyReasonsThatThereAre) {
  EXPECT_EQ(options_of(Action::list, {"list", "--reason", "too-large"}).filter.reason, "too-large");
  EXPECT_EQ(options_of(Action::list, {"list", "--reason", "too_large"}).filter.reason, "too-large");
  EXPECT_EQ(options_of(Action::list, {"list", "--reason", "delivery_limit"}).filter.reason,
            "delivery-limit");
  EXPECT_EQ(options_of(Action::list, {"list", "--reason", "undelivered"}).filter.reason,
            "undelivered");
  for (const char* reason : {"lost", "too_huge", "INVALID", ""}) {
    EXPECT_THAT(error_of_dead_letters({"list", "--reason", reason}),
                HasSubstr(std::string("maxlen or rejected; not \"") + reason));
  }
}

TEST(DeadLettersOptions, ShowOneLetter) {
  const auto command =
      options_of(Action::show, {"show", "--queue", "order_validate", "--position", "3"});
  EXPECT_EQ(command.action, Action::show);
  EXPECT_EQ(command.position, 3U);
  EXPECT_EQ(command.limit, 1U);
  EXPECT_THAT(error_of_dead_letters({"show", "--position", "3"}),
              HasSubstr("--position needs --queue"));
  EXPECT_THAT(error_of_dead_letters({"show", "--queue", "order_validate", "--position", "0"}),
              HasSubstr("--position takes a whole number from 1"));
}

TEST(DeadLettersOptions, SayHowToReplayAndPurge) {
  const auto replay =
      options_of(Action::replay, {"replay", "--to", "other", "--limit", "5", "--dry-run"});
  EXPECT_EQ(replay.action, Action::replay);
  EXPECT_EQ(replay.to, "other");
  EXPECT_EQ(replay.limit, 5U);
  EXPECT_TRUE(replay.dry_run);
  EXPECT_THAT(error_of_dead_letters({"replay", "--to="}), HasSubstr("--to takes a queue's name"));
  const auto purge = options_of(Action::purge, {"purge", "--yes"});
  EXPECT_EQ(purge.action, Action::purge);
  EXPECT_TRUE(purge.yes);
}

TEST(DeadLettersOptions, NeedAnAction) {
  EXPECT_THAT(error_of_dead_letters({}), HasSubstr("replay"));
  EXPECT_THAT(error_of_dead_letters({"burn"}), HasSubstr("burn"));
  EXPECT_THAT(error_of_dead_letters({"list", "--yes"}), HasSubstr("no option is called --yes"));
}

}  // namespace
}  // namespace inventory::cli
