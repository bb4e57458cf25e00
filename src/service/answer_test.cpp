#include "service/answer.h"

#include <gtest/gtest.h>

namespace inventory::service {
namespace {

const ReplyQueue kFallback{"order_validate_response", true};
constexpr domain::Timestamp kTime{std::chrono::microseconds(1)};

amqp::Delivery request() {
  amqp::Delivery delivery;
  delivery.body = "{}";
  return delivery;
}

std::optional<std::string> header(const amqp::Message& message, std::string_view name) {
  if (!message.properties.headers) {
    return std::nullopt;
  }
  return message.properties.headers->find_string(name).transform(
      [](std::string_view value) { return std::string(value); });
}

TEST(Reply, GoesToReplyToOrElseToTheFallbackQueue) {
  amqp::Delivery delivery = request();
  EXPECT_EQ(make_reply(delivery, "", false, kFallback).message.routing_key, kFallback.name);
  delivery.properties.reply_to = "";
  EXPECT_EQ(make_reply(delivery, "", false, kFallback).message.routing_key, kFallback.name);
  delivery.properties.reply_to = "mine";
  EXPECT_EQ(make_reply(delivery, "", false, kFallback).message.routing_key, "mine");
}

TEST(Reply, IsPersistentJsonWithTheCorrelationIdAndTheTraceContext) {
  amqp::Delivery delivery = request();
  delivery.properties.correlation_id = std::string("a\0\xff", 3);
  delivery.properties.message_id = "not copied";
  amqp::HeaderTable headers;
  headers.add_string("other", "not copied");
  headers.add_string("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  headers.add_string("tracestate", "a=b");
  delivery.properties.headers = headers;
  const amqp::Message reply = make_reply(delivery, "{}", false, kFallback).message;

  amqp::Properties expected;
  expected.content_type = "application/json";
  expected.delivery_mode = 2;
  expected.app_id = "inventory-service";
  expected.correlation_id = delivery.properties.correlation_id;
  expected.headers.emplace();
  expected.headers->add_entry(headers.find_entry("traceparent"));
  expected.headers->add_entry(headers.find_entry("tracestate"));
  EXPECT_EQ(reply.properties, expected);
  EXPECT_EQ(reply.body, "{}");
}

TEST(Reply, HasNoHeadersIfThereIsNothingToSayInThem) {
  const amqp::Message reply = make_reply(request(), "", false, kFallback).message;
  EXPECT_EQ(reply.properties.headers, std::nullopt);
  EXPECT_EQ(reply.properties.correlation_id, std::nullopt);
}

TEST(Reply, SaysThatItIsAReplay) {
  const amqp::Message reply = make_reply(request(), "", true, kFallback).message;
  ASSERT_TRUE(reply.properties.headers);
  EXPECT_FALSE(reply.properties.headers->find_entry("idempotent-replayed").empty());
}

TEST(Reply, LeavesOutATraceContextOfNoReasonableSize) {
  amqp::Delivery delivery = request();
  delivery.properties.headers.emplace();
  delivery.properties.headers->add_string("traceparent", std::string(100'000, 'x'));
  EXPECT_EQ(make_reply(delivery, "", false, kFallback).message.properties.headers, std::nullopt);
}

TEST(Reply, MustArriveOnlyInAQueueThatTheServiceDeclares) {
  amqp::Delivery delivery = request();
  EXPECT_TRUE(make_reply(delivery, "", false, kFallback).must_arrive);
  EXPECT_FALSE(make_reply(delivery, "", false, {"nobodys", false}).must_arrive);
  delivery.properties.reply_to = kFallback.name;
  EXPECT_TRUE(make_reply(delivery, "", false, kFallback).must_arrive);
  delivery.properties.reply_to = "a client's";
  EXPECT_FALSE(make_reply(delivery, "", false, kFallback).must_arrive);
}

TEST(Reply, IsNotMandatoryToADirectReplyToAddress) {
  amqp::Delivery delivery = request();
  EXPECT_TRUE(make_reply(delivery, "", false, kFallback).message.mandatory);
  delivery.properties.reply_to = "amq.rabbitmq.reply-to.g1h2";
  EXPECT_FALSE(make_reply(delivery, "", false, kFallback).message.mandatory);
}

TEST(DeadLetter, IsTheRequestAsItCameWithTheReason) {
  amqp::Delivery delivery = request();
  delivery.body = std::string("\0\xff", 2);
  delivery.properties.content_type = "text/plain";
  delivery.properties.message_id = "m";
  delivery.properties.reply_to = "r";
  delivery.properties.headers.emplace();
  delivery.properties.headers->add_string("theirs", "kept");
  const Outgoing letter = make_dead_letter(delivery, "q", "invalid", "quantity is missing", kTime);
  EXPECT_TRUE(letter.must_arrive);
  EXPECT_TRUE(letter.message.mandatory);
  EXPECT_EQ(letter.message.routing_key, "q.dlq");
  EXPECT_EQ(letter.message.body, delivery.body);
  EXPECT_EQ(letter.message.properties.content_type, "text/plain");
  EXPECT_EQ(letter.message.properties.message_id, "m");
  EXPECT_EQ(letter.message.properties.reply_to, "r");
  EXPECT_EQ(letter.message.properties.delivery_mode, 2) << "persistent";
  EXPECT_EQ(header(letter.message, "theirs"), "kept");
  EXPECT_EQ(header(letter.message, "error-reason"), "invalid");
  EXPECT_EQ(header(letter.message, "error-message"), "quantity is missing");
  EXPECT_EQ(header(letter.message, "original-queue"), "q");
  EXPECT_EQ(header(letter.message, "failed-at"), "1970-01-01T00:00:00.000001+00:00");
}

TEST(DeadLetter, CannotExpireNorBeRefusedNorGoToOtherQueues) {
  amqp::Delivery delivery = request();
  delivery.properties.expiration = "1000";
  delivery.properties.user_id = "gateway";
  delivery.properties.headers.emplace();
  delivery.properties.headers->add_string("CC", "order_validate");
  const amqp::Message letter = make_dead_letter(delivery, "q", "invalid", "", kTime).message;
  EXPECT_EQ(letter.properties.expiration, std::nullopt);
  EXPECT_EQ(letter.properties.user_id, std::nullopt);
  EXPECT_EQ(header(letter, "CC"), std::nullopt);
  EXPECT_EQ(header(letter, "original-expiration"), "1000");
  EXPECT_EQ(header(letter, "original-user-id"), "gateway");
  EXPECT_EQ(header(letter, "original-CC"), "order_validate");
}

TEST(DeadLetter, SaysTheLatestReasonOfAMessageThatWasOneBefore) {
  amqp::Delivery delivery = request();
  delivery.properties.headers.emplace();
  delivery.properties.headers->add_string("error-message", "an old one");
  const amqp::Message letter = make_dead_letter(delivery, "q", "invalid", "new", kTime).message;
  EXPECT_EQ(header(letter, "error-message"), "new");
}

// Every short property at its longest, and headers that fill a frame.
TEST(DeadLetter, FitsInTheSmallestFrameWithoutTheHeadersThatItCameWith) {
  const std::string longest(255, 'x');
  amqp::Delivery delivery = request();
  amqp::Properties& properties = delivery.properties;
  for (auto* property :
       {&properties.content_type, &properties.content_encoding, &properties.correlation_id,
        &properties.reply_to, &properties.expiration, &properties.message_id, &properties.type,
        &properties.user_id, &properties.app_id}) {
    *property = longest;
  }
  properties.headers.emplace();
  properties.headers->add_string("theirs", std::string(125'000, 'x'));
  amqp::Message letter =
      make_dead_letter(delivery, longest, "invalid", std::string(100'000, 'y'), kTime).message;
  ASSERT_TRUE(drop_foreign_headers(letter));
  EXPECT_FALSE(letter.properties.headers->find_entry("headers-dropped").empty());
  EXPECT_EQ(header(letter, "error-reason"), "invalid");
  EXPECT_EQ(header(letter, "error-message"), std::string(256, 'y'));
  EXPECT_EQ(header(letter, "original-queue"), longest);
  EXPECT_NE(header(letter, "failed-at"), std::nullopt);
  EXPECT_EQ(header(letter, "theirs"), std::nullopt);
  // Seven short strings are left, the frame's and the content header's own bytes, some integers.
  EXPECT_LT(letter.properties.headers->encoded().size() + std::size_t{7} * 256 + 64, 4096U);
  EXPECT_FALSE(drop_foreign_headers(letter));
}

TEST(DeadLetter, OnlyLeavesItsHeadersOutAndNoReplyDoes) {
  amqp::Message reply = make_reply(request(), "{}", true, {"replies", true}).message;
  EXPECT_FALSE(drop_foreign_headers(reply));
}

std::string_view trace_id_of(amqp::Properties& properties, std::string_view traceparent) {
  properties.headers = amqp::HeaderTable();
  properties.headers->add_string("traceparent", traceparent);
  return trace_id(properties);
}

TEST(TraceId, IsThatOfAValidTraceparent) {
  amqp::Properties properties;
  EXPECT_EQ(trace_id(properties), "");
  EXPECT_EQ(trace_id_of(properties, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(trace_id_of(properties, "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-new"),
            "0af7651916cd43dd8448eb211c80319c");
}

TEST(TraceId, IsEmptyForAnyOther) {
  for (const char* traceparent : {
           "",
           "00",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319 -b7ad6b7169203331-01",
           "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
       }) {
    amqp::Properties properties;
    EXPECT_EQ(trace_id_of(properties, traceparent), "") << traceparent;
  }
}

}  // namespace
}  // namespace inventory::service
