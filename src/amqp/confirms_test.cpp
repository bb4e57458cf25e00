#include "amqp/confirms.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace amqp {
namespace {

using enum Settlement;
using Told = std::map<std::uint64_t, Settlement>;

class ConfirmsTest : public ::testing::Test {
 protected:
  // Messages that are all sent, the first with `first` as message_id. Their tokens go on from 1.
  void send(std::size_t count, const std::string& first = "theirs") {
    for (std::size_t i = 0; i < count; ++i) {
      Message message{.routing_key = "queue", .properties = {}, .body = ""};
      if (i == 0) message.properties.message_id = first;
      ids_.push_back(confirms_.next_message_id());
      confirms_.sent(++last_token_, message);
    }
  }

  ConfirmsTest() { confirms_.set_message_id_prefix("ours-"); }

  Told told_;
  int tellings_ = 0;
  Confirms confirms_{[this](std::uint64_t token, Settlement settlement) {
    told_[token] = settlement;
    ++tellings_;
  }};
  std::uint64_t last_token_ = 0;
  std::vector<std::string> ids_;
};

TEST_F(ConfirmsTest, KeepsAMessageUnsettledUntilItsOwnAckWhenAHigherTagIsAckedAlone) {
  send(3);
  EXPECT_TRUE(confirms_.confirm(3, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(2, false, confirmed));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_TRUE(confirms_.confirm(1, false, rejected));
  EXPECT_EQ(confirms_.unsettled(), 0U);
  EXPECT_EQ(told_, (Told{{1, rejected}, {2, confirmed}, {3, confirmed}}));
}

TEST_F(ConfirmsTest, SettlesEverythingUpToATagThatIsAckedWithMultiple) {
  send(4);
  EXPECT_TRUE(confirms_.confirm(2, false, rejected));
  EXPECT_TRUE(confirms_.confirm(3, true, confirmed));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_TRUE(confirms_.confirm(0, true, confirmed));
  EXPECT_EQ(told_, (Told{{1, confirmed}, {2, rejected}, {3, confirmed}, {4, confirmed}}));
}

TEST_F(ConfirmsTest, TellsOfAConfirmThatComesTwiceOnce) {
  send(3);
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(3, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(3, false, rejected));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_EQ(tellings_, 2);
}

TEST_F(ConfirmsTest, FindsAReturnedMessageByItsIdWhoeverGaveIt) {
  send(3);
  confirms_.returned("theirs", "queue");
  confirms_.returned(ids_[2], "queue");
  EXPECT_TRUE(confirms_.confirm(3, true, confirmed));
  EXPECT_EQ(told_, (Told{{1, returned}, {2, confirmed}, {3, returned}}));
}

TEST_F(ConfirmsTest, TakesAllThatAReturnMayMeanForReturned) {
  Message letter{.routing_key = "dead letters", .properties = {}, .body = ""};
  letter.keeps_properties = true;
  confirms_.sent(1, letter);  // never answered
  confirms_.sent(2, letter);
  confirms_.returned("", "dead letters");
  EXPECT_TRUE(confirms_.confirm(2, false, confirmed));
  EXPECT_EQ(told_, (Told{{2, returned}}));
}

// A client has seen the id in a reply, and uses it for a request of its own that is dead-lettered.
TEST_F(ConfirmsTest, TellsAMessageThatBearsOurIdFromOurs) {
  const Message reply{.routing_key = "reply queue", .properties = {}, .body = ""};
  Message letter{.routing_key = "dead letters", .properties = {}, .body = ""};
  letter.properties.message_id = confirms_.next_message_id();
  confirms_.sent(1, reply);
  confirms_.sent(2, letter);
  confirms_.returned(*letter.properties.message_id, "dead letters");
  EXPECT_TRUE(confirms_.confirm(2, true, confirmed));
  EXPECT_EQ(told_, (Told{{1, confirmed}, {2, returned}}));
}

TEST_F(ConfirmsTest, IgnoresAReturnForAnotherQueueOrOfAnotherPublisher) {
  send(1);
  confirms_.returned("theirs", "another queue");
  confirms_.returned("nobody's", "queue");
  confirms_.returned("ours-77", "queue");
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_EQ(told_, (Told{{1, confirmed}}));
}

TEST_F(ConfirmsTest, SaysWhichQueueIsTheFirstThatHasNotAnswered) {
  EXPECT_EQ(confirms_.first_unsettled(), nullptr);
  send(2);
  const Message silent{.routing_key = "silent", .properties = {}, .body = ""};
  confirms_.sent(3, silent);
  EXPECT_TRUE(confirms_.confirm(2, true, confirmed));
  EXPECT_EQ(*confirms_.first_unsettled(), "silent");
}

TEST_F(ConfirmsTest, RefusesATagThatWasNeverGiven) {
  send(1);
  EXPECT_FALSE(confirms_.confirm(2, false, confirmed));
  EXPECT_FALSE(confirms_.confirm(0, false, confirmed));
}

}  // namespace
}  // namespace amqp
