#include "server/ledger_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "domain/hold.h"

namespace inventory::server {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kTime = domain::Timestamp(std::chrono::microseconds(1'795'402'800'123'456));

store::StoredEntry entry(std::string identity, std::string outcome) {
  return {.identity = std::move(identity),
          .outcome = std::move(outcome),
          .quantity = 2,
          .delta = -2,
          .quantity_after = 8,
          .decided_at = kTime,
          .place = {}};
}

TEST(LedgerJson, HasAllThatIsKnownOfAnEntry) {
  EXPECT_EQ(entry_json(entry("sA-17", "accepted")),
            R"({"kind":"order","id":"A-17","line_id":null,"outcome":"accepted","quantity":2,)"
            R"("delta":-2,"left":8,"reason":null,"time":"2026-11-23T03:00:00.123456+00:00"})");
  EXPECT_THAT(entry_json(entry("cl2:i1i42", "cancelled")),
              HasSubstr(R"("kind":"cancellation","id":42,"line_id":1,"outcome":"cancelled")"));
  EXPECT_THAT(entry_json(entry("opening", "opening")), HasSubstr(R"("kind":"opening","id":null)"));
  EXPECT_THAT(entry_json(entry("correction 1", "opening")),
              HasSubstr(R"("kind":"correction","id":"correction 1")"));
}

TEST(LedgerJson, HasWhatWasAskedForBesides) {
  auto held = entry("i1", "held");
  held.terms = domain::text_of({.seconds = 900, .until = kTime});
  EXPECT_THAT(entry_json(held),
              HasSubstr(R"(,"hold_seconds":900,"held_until":"2026-11-23T03:00:00.123456+00:00"})"));
  held.terms = domain::text_of({.seconds = 900});
  EXPECT_THAT(entry_json(held), HasSubstr(R"(,"hold_seconds":900,"held_until":null})"));
  auto adjustment = entry("ai1", "adjusted");
  adjustment.terms = "change";
  EXPECT_THAT(entry_json(adjustment), HasSubstr(R"(,"change":2})"));
  adjustment.terms = "set_to, expected 18";
  EXPECT_THAT(entry_json(adjustment), HasSubstr(R"(,"set_to":2,"expected":18})"));
  adjustment.terms = "something else";
  EXPECT_TRUE(entry_json(adjustment).ends_with(R"(+00:00"})"));
}

TEST(LedgerJson, HasNullForWhatTheTableLacksOrNoJsonCanHold) {
  EXPECT_EQ(entry_json({.identity = "s\xff", .outcome = "\xff", .place = {}}),
            R"({"kind":"order","id":null,"line_id":null,"outcome":null,"quantity":null,)"
            R"("delta":null,"left":null,"reason":null,"time":null})");
}

TEST(LedgerJson, EscapesWhatClientsWrote) {
  auto hostile = entry("s\"</script>\x1b[31m\n", "accepted");
  hostile.reason = "\\\"";
  EXPECT_THAT(entry_json(hostile), HasSubstr(R"("id":"\"</script>\u001b[31m\n")"));
  EXPECT_THAT(entry_json(hostile), HasSubstr(R"("reason":"\\\"")"));
}

TEST(LedgerJson, ReadsThePlaceThatItWrote) {
  for (const auto& identity : {"sA/17"s, "s\0\xff"s, ""s}) {
    for (const char* time : {"-9223372036854775808", "2026-11-23 03:00:00.123456"}) {
      const store::EntryPlace place{
          .time = time, .version = -1, .is_change = true, .identity = identity};
      const auto text = place_text(place);
      EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
      EXPECT_EQ(read_place(text), place);
    }
  }
  for (const char* text : {"", "3", "3g", "31", "2f2f2f", "312f312f322f", "312f612f312f", "%31"}) {
    EXPECT_FALSE(read_place(text)) << text;
  }
}

TEST(LedgerJson, KnowsWhichIdsMayBeMeant) {
  using domain::OrderId;
  EXPECT_THAT(possible_ids("42"), ElementsAre(OrderId(42), OrderId("42")));
  EXPECT_THAT(possible_ids("-7"), ElementsAre(OrderId(-7), OrderId("-7")));
  for (const char* text : {"007", "-0", "+1", "1.0", "9007199254740992", "A-17", " 1"}) {
    EXPECT_THAT(possible_ids(text), ElementsAre(OrderId(text))) << text;
  }
  EXPECT_EQ(possible_ids(std::string(128, 'x')).size(), 1U);
  for (const auto& text : {""s, std::string(129, 'x'), "\xff"s, "a\0"s}) {
    EXPECT_THAT(possible_ids(text), IsEmpty());
  }
}

std::string state_of(std::vector<store::StoredEntry> entries) {
  const auto stories = stories_of(std::move(entries));
  return stories.size() == 1 ? stories.front().state : "no single story";
}

TEST(OrderStory, SaysWhatBecameOfTheOrder) {
  const auto accepted = entry("i1", "accepted");
  const auto held = entry("i1", "held");
  const auto cancelled = entry("ci1", "cancelled");
  const auto confirmed = entry("fi1", "confirmed");
  const auto expired = entry("xi1", "expired");
  EXPECT_EQ(state_of({accepted}), "accepted");
  EXPECT_EQ(state_of({held}), "held");
  EXPECT_EQ(state_of({confirmed, held}), "confirmed");
  EXPECT_EQ(state_of({cancelled, confirmed, held}), "cancelled");
  EXPECT_EQ(state_of({expired, held}), "expired");
  EXPECT_EQ(state_of({cancelled, expired, held}), "expired");
  EXPECT_EQ(state_of({entry("fi1", "hold_expired"), held}), "held");
  for (const char* outcome : {"not_enough_stock", "product_not_found", "other_item"}) {
    EXPECT_EQ(state_of({entry("i1", outcome)}), "rejected");
    EXPECT_EQ(state_of({cancelled, entry("i1", outcome)}), "rejected");
  }
  EXPECT_EQ(state_of({entry("i1", "cancelled_first")}), "cancelled");
  EXPECT_EQ(state_of({entry("i1", "of a newer program")}), "of a newer program");
  EXPECT_EQ(state_of({cancelled}), "cancelled");
}

TEST(OrderStory, IsOneForEachLineAndEachTypeOfTheId) {
  auto held = entry("s1", "held");
  held.terms = domain::text_of({.seconds = 900, .until = kTime});
  const auto stories =
      stories_of({held, entry("l2:i9s1", "accepted"), entry("fs1", "hold_expired"),
                  entry("i1", "not_enough_stock"), entry("correction", "opening")});
  ASSERT_EQ(stories.size(), 3U);
  EXPECT_EQ(stories[0].entries.size(), 2U);
  EXPECT_EQ(stories[0].held, 2);
  EXPECT_EQ(stories[0].held_until, kTime);
  EXPECT_EQ(stories[1].name, (domain::OrderName{domain::OrderId("1"), domain::OrderId(9)}));
  EXPECT_EQ(stories[1].held, 0);
  EXPECT_EQ(stories[2].name, domain::OrderName{domain::OrderId(1)});
  EXPECT_EQ(story_json(stories[0]),
            R"({"order_id":"1","line_id":null,"state":"held","held":2,)"
            R"("held_until":"2026-11-23T03:00:00.123456+00:00","entries":[)" +
                entry_json(stories[0].entries[0]) + "," + entry_json(stories[0].entries[1]) + "]}");
}

}  // namespace
}  // namespace inventory::server
