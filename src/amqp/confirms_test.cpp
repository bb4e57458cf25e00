#include "amqp/confirms.h"

#include <gtest/gtest.h>

namespace amqp {
namespace {

using enum Settlement;
using Settlements = std::vector<Settlement>;

class ConfirmsTest : public ::testing::Test {
 protected:
  // A batch of messages that are all sent, the first with `first` as message_id.
  void send(std::size_t count, const std::string& first = "theirs") {
    messages_.assign(count, Message{.routing_key = "queue", .properties = {}, .body = ""});
    messages_.front().properties.message_id = first;
    confirms_.begin(messages_);
    for (std::size_t i = 0; i < count; ++i) {
      ids_.push_back(confirms_.next_message_id());
      confirms_.sent(i);
    }
  }

  ConfirmsTest() { confirms_.set_message_id_prefix("ours-"); }

  Confirms confirms_;
  std::vector<Message> messages_;
  std::vector<std::string> ids_;
};

TEST_F(ConfirmsTest, KeepsAMessageUnsettledUntilItsOwnAckWhenAHigherTagIsAckedAlone) {
  send(3);
  EXPECT_TRUE(confirms_.confirm(3, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(2, false, confirmed));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_TRUE(confirms_.confirm(1, false, rejected));
  EXPECT_EQ(confirms_.unsettled(), 0U);
  EXPECT_EQ(confirms_.take(), (Settlements{rejected, confirmed, confirmed}));
}

TEST_F(ConfirmsTest, SettlesEverythingUpToATagThatIsAckedWithMultiple) {
  send(4);
  EXPECT_TRUE(confirms_.confirm(2, false, rejected));
  EXPECT_TRUE(confirms_.confirm(3, true, confirmed));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_TRUE(confirms_.confirm(0, true, confirmed));
  EXPECT_EQ(confirms_.take(), (Settlements{confirmed, rejected, confirmed, confirmed}));
}

TEST_F(ConfirmsTest, CountsAConfirmThatComesTwiceOnce) {
  send(2);
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_EQ(confirms_.unsettled(), 1U);
}

TEST_F(ConfirmsTest, FindsAReturnedMessageByItsIdWhoeverGaveIt) {
  send(3);
  confirms_.returned("theirs", "queue");
  confirms_.returned(ids_[2], "queue");
  EXPECT_TRUE(confirms_.confirm(3, true, confirmed));
  EXPECT_EQ(confirms_.take(), (Settlements{returned, confirmed, returned}));
}

// A client has seen the id in a reply, and uses it for a request of its own that is dead-lettered.
TEST_F(ConfirmsTest, TellsAMessageThatBearsOurIdFromOurs) {
  messages_.resize(2);
  messages_[0].routing_key = "reply queue";
  confirms_.begin(messages_);
  messages_[1].routing_key = "dead letters";
  messages_[1].properties.message_id = confirms_.next_message_id();
  confirms_.sent(0);
  confirms_.sent(1);
  confirms_.returned(*messages_[1].properties.message_id, "dead letters");
  EXPECT_TRUE(confirms_.confirm(2, true, confirmed));
  EXPECT_EQ(confirms_.take(), (Settlements{confirmed, returned}));
}

TEST_F(ConfirmsTest, IgnoresAReturnForAnotherQueueOrOfAnotherPublisher) {
  send(1);
  confirms_.returned("theirs", "another queue");
  confirms_.returned("nobody's", "queue");
  confirms_.returned("ours-77", "queue");
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_EQ(confirms_.take(), Settlements{confirmed});
}

TEST_F(ConfirmsTest, IgnoresALateConfirmForAnEarlierBatch) {
  send(2);
  confirms_.end();
  send(1);
  EXPECT_TRUE(confirms_.confirm(1, false, rejected));
  EXPECT_TRUE(confirms_.confirm(2, true, rejected));
  EXPECT_EQ(confirms_.unsettled(), 1U);
  EXPECT_TRUE(confirms_.confirm(3, false, confirmed));
  EXPECT_EQ(confirms_.take(), Settlements{confirmed});
}

TEST_F(ConfirmsTest, RefusesATagThatWasNeverGiven) {
  send(1);
  EXPECT_FALSE(confirms_.confirm(2, false, confirmed));
  EXPECT_FALSE(confirms_.confirm(0, false, confirmed));
}

TEST_F(ConfirmsTest, SaysWhichMessagesWereNotSent) {
  messages_.resize(2);
  confirms_.begin(messages_);
  confirms_.sent(1);
  EXPECT_TRUE(confirms_.confirm(1, false, confirmed));
  EXPECT_EQ(confirms_.take(), (Settlements{too_large, confirmed}));
}

}  // namespace
}  // namespace amqp
