#include "amqp/queue_terms.h"

#include <gtest/gtest.h>

namespace amqp {
namespace {

// As RabbitMQ 3.10.8 and 4.0.5 say it.
QueueDifference difference(const std::string& argument, const std::string& current) {
  const auto read =
      read_difference("queue 'q': PRECONDITION_FAILED - inequivalent arg '" + argument +
                      "' for queue 'q' in vhost '/': received none but current is " + current);
  EXPECT_TRUE(read) << current;
  return read.value_or(QueueDifference{});
}

TEST(QueueTerms, AClassicQueueIsOneWithoutATypeOrOfThatType) {
  EXPECT_EQ(difference("x-queue-type", "none").type(), QueueType::classic);
  EXPECT_EQ(difference("x-queue-type", "'classic'").type(), QueueType::classic);
  EXPECT_EQ(difference("x-queue-type", "the value 'classic' of type 'longstr'").type(),
            QueueType::classic);
  EXPECT_EQ(difference("x-queue-type", "'quorum'").type(), QueueType::quorum);
  EXPECT_EQ(difference("x-queue-type", "'stream'").type(), std::nullopt);
}

TEST(QueueTerms, AQuorumQueueWithoutALimitHasOneAsOfRabbitMq4) {
  const auto without = difference("x-delivery-limit", "none");
  EXPECT_EQ(without.delivery_limit("3.10.8"), kNoDeliveryLimit);
  EXPECT_EQ(without.delivery_limit("3.13.7"), kNoDeliveryLimit);
  EXPECT_EQ(without.delivery_limit("4.0.5"), 20);
  EXPECT_EQ(without.delivery_limit("10.0"), 20);
  EXPECT_EQ(without.delivery_limit(""), 20);
}

TEST(QueueTerms, ALimitIsWhatItIsAndANegativeOneDependsOnTheVersion) {
  EXPECT_EQ(difference("x-delivery-limit", "'5'").delivery_limit("4.0.5"), 5);
  EXPECT_EQ(difference("x-delivery-limit", "the value '5' of type 'long'").delivery_limit("3.10.8"),
            5);
  EXPECT_EQ(difference("x-delivery-limit", "'-1'").delivery_limit("3.10.8"), 0);
  EXPECT_EQ(difference("x-delivery-limit", "'-1'").delivery_limit("4.0.5"), kNoDeliveryLimit);
  EXPECT_EQ(difference("x-delivery-limit", "'many'").delivery_limit("4.0.5"), std::nullopt);
}

TEST(QueueTerms, OnlyAClassicQueueAndOneThatIsKnownToHaveNoLimitDropNothing) {
  EXPECT_TRUE(QueueTerms{}.may_drop());
  EXPECT_TRUE(QueueTerms{.type = QueueType::quorum}.may_drop());
  EXPECT_TRUE((QueueTerms{.type = QueueType::quorum, .delivery_limit = 20}.may_drop()));
  EXPECT_FALSE(
      (QueueTerms{.type = QueueType::quorum, .delivery_limit = kNoDeliveryLimit}.may_drop()));
  EXPECT_FALSE(QueueTerms{.type = QueueType::classic}.may_drop());
}

TEST(QueueTerms, OtherArgumentsCanBeRepeatedIfTheirTypeIsTold) {
  const auto text = difference("x-dead-letter-exchange", "the value 'it's' of type 'longstr'");
  EXPECT_EQ(text.argument, "x-dead-letter-exchange");
  ASSERT_TRUE(text.repeatable());
  EXPECT_EQ(std::get<std::string>(text.repeatable()->value), "it's");
  const auto number = difference("x-max-length", "the value '100000' of type 'long'");
  ASSERT_TRUE(number.repeatable());
  EXPECT_EQ(std::get<std::int64_t>(number.repeatable()->value), 100'000);
  EXPECT_FALSE(difference("durable", "'false'").repeatable());
  EXPECT_FALSE(
      difference("x-single-active-consumer", "the value 'true' of type 'bool'").repeatable());
  EXPECT_FALSE(difference("x-max-length", "none").repeatable());
}

TEST(QueueTerms, OtherWordsTellNothing) {
  const std::string start = "inequivalent arg 'a' for queue 'q' in vhost '/': received none but ";
  for (const std::string& text :
       {std::string(), std::string("ACCESS_REFUSED"),
        std::string("inequivalent arg 'x-queue-type'"),
        std::string("inequivalent arg 'a' for queue 'q'"), start + "current is ",
        start + "current is '", start + "current is the value 'x",
        start + "current is the val..."}) {
    EXPECT_FALSE(read_difference(text)) << text;
  }
}

}  // namespace
}  // namespace amqp
