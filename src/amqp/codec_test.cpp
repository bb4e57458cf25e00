// Bytes to frames, methods and contents, and back.
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "amqp/decode.h"
#include "amqp/encode.h"
#include "amqp/fake_broker.h"
#include "amqp/frame.h"
#include "amqp/wire.h"

namespace amqp {
namespace {

using namespace std::string_literals;

// Feeds the bytes in pieces of that size; gives all frames, or the error.
std::expected<std::vector<std::string>, std::string> frames(std::string_view bytes,
                                                            std::size_t piece,
                                                            std::size_t frame_max = 4'096) {
  FrameReader reader(frame_max);
  std::vector<std::string> payloads;
  while (!bytes.empty()) {
    const auto space = reader.space();
    const std::size_t size = std::min({piece, bytes.size(), space.size()});
    bytes.copy(space.data(), size);
    bytes.remove_prefix(size);
    reader.commit(size);
    for (;;) {
      const auto frame = reader.next();
      if (!frame) return std::unexpected(frame.error());
      const std::optional<Frame>& whole = *frame;
      if (!whole) break;
      payloads.emplace_back(whole->payload.data(), whole->payload.size());
    }
  }
  return payloads;
}

TEST(FrameReader, FindsTheSameFramesHoweverTheBytesAreSplit) {
  std::string bytes;
  std::vector<std::string> expected;
  for (std::size_t size = 0; size < 300; ++size) {
    expected.emplace_back(size, static_cast<char>(size));
    bytes += test::raw_frame(3, 1, expected.back());
  }
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 8U, 9U, 100U, 1'000U, 4'095U, 100'000U}) {
    EXPECT_EQ(frames(bytes, piece), expected) << piece;
  }
}

TEST(FrameReader, TakesAFrameOfTheAgreedSizeAndNoLargerOne) {
  EXPECT_TRUE(frames(test::raw_frame(3, 1, std::string(4'096 - 8, 'x')), 1'000));
  EXPECT_FALSE(frames(test::raw_frame(3, 1, std::string(4'096 - 7, 'x')), 1'000));
}

TEST(FrameReader, RefusesALargeFrameBeforeItsPayloadHasCome) {
  EXPECT_FALSE(frames("\3\0\1\xFF\xFF\xFF\xFF"s, 7));
}

TEST(FrameReader, RefusesWhatIsNoFrame) {
  EXPECT_FALSE(frames("\3\0\1\0\0\0\1xx"s, 100)) << "no end octet";
  EXPECT_FALSE(frames("\4\0\1\0\0\0\0\xCE"s, 100)) << "unknown type";
  EXPECT_EQ(frames("AMQP\0\0\x9\0"s, 1).error(), "the peer does not speak AMQP 0-9-1");
}

Properties every_property() {
  Properties properties{.content_type = "text/plain",
                        .content_encoding = "identity",
                        .headers = HeaderTable(),
                        .delivery_mode = 2,
                        .priority = 9,
                        .correlation_id = "\0\xFF"s,
                        .reply_to = std::string(255, 'r'),
                        .expiration = "1000",
                        .message_id = "",
                        .timestamp = 0xFFFF'FFFF'FFFF'FFFFU,
                        .type = "t",
                        .user_id = "u",
                        .app_id = "a",
                        .cluster_id = "c"};
  properties.headers->add_string("traceparent", "00-1");
  return properties;
}

// What comes out at the other end. The message's frames are method, header, bodies.
ContentHeader round_trip(const Message& message) {
  std::string out;
  EXPECT_TRUE(append_message(out, 1, kFrameMaxDefault, message, {}));
  auto payloads = frames(out, 1'000, kFrameMaxDefault);
  EXPECT_TRUE(payloads && payloads->size() >= 2);
  Decoder decoder;
  auto header = decoder.content_header((*payloads)[1]);
  EXPECT_TRUE(header) << header.error();
  std::string body;
  for (std::size_t i = 2; i < payloads->size(); ++i) body += (*payloads)[i];
  EXPECT_TRUE(body == message.body);
  return header.value_or(ContentHeader{});
}

TEST(Content, KeepsEveryProperty) {
  const Message message{.routing_key = "q", .properties = every_property(), .body = "body"};
  const auto header = round_trip(message);
  EXPECT_EQ(header.properties, message.properties);
  EXPECT_EQ(header.body_size, 4U);
}

TEST(Content, KeepsEachPropertyWhereItStandsAlone) {
  const Properties all = every_property();
  const auto check = [&all](auto member) {
    Message message;
    message.properties.*member = all.*member;
    EXPECT_EQ(round_trip(message).properties, message.properties);
  };
  check(&Properties::content_type);
  check(&Properties::content_encoding);
  check(&Properties::headers);
  check(&Properties::delivery_mode);
  check(&Properties::priority);
  check(&Properties::correlation_id);
  check(&Properties::reply_to);
  check(&Properties::expiration);
  check(&Properties::message_id);
  check(&Properties::timestamp);
  check(&Properties::type);
  check(&Properties::user_id);
  check(&Properties::app_id);
  check(&Properties::cluster_id);
}

TEST(Content, TellsAnEmptyTableFromNone) {
  Message message;
  EXPECT_EQ(round_trip(message).properties.headers, std::nullopt);
  message.properties.headers.emplace();
  EXPECT_EQ(round_trip(message).properties.headers, HeaderTable());
}

TEST(Content, SplitsABodyByFrameMax) {
  const Message message{.routing_key = "q", .properties = {}, .body = std::string(10'000, 'b')};
  std::string out;
  ASSERT_TRUE(append_message(out, 1, 4'096, message, {}));
  const auto payloads = frames(out, 100, 4'096);
  ASSERT_TRUE(payloads) << payloads.error();
  ASSERT_EQ(payloads->size(), 5U);
  EXPECT_EQ((*payloads)[2].size(), 4'088U);
  EXPECT_EQ((*payloads)[4].size(), 1'824U);
}

TEST(Content, AppendsNothingOfAMessageThatDoesNotFit) {
  std::string out = "before";
  const auto refuses = [&out](const Message& message) {
    const bool appended = append_message(out, 1, 4'096, message, {});
    return !appended && out == "before";
  };
  EXPECT_TRUE(refuses({.routing_key = std::string(256, 'k'), .properties = {}, .body = {}}));
  Message message{.routing_key = "q", .properties = {}, .body = "body"};
  message.properties.app_id = std::string(256, 'a');
  EXPECT_TRUE(refuses(message));
  message.properties.app_id.reset();
  message.properties.headers = HeaderTable(std::string(4'096 - 8 - 12 - 2 - 4 + 1, 'h'));
  EXPECT_TRUE(refuses(message));
  message.properties.headers = HeaderTable(std::string(4'096 - 8 - 12 - 2 - 4, 'h'));
  EXPECT_FALSE(refuses(message)) << "one byte less fits";
}

TEST(Decoder, KeepsNestedTablesAsBytesHoweverDeepTheyAre) {
  std::string nested;
  for (std::uint32_t inside = 26'000; inside-- > 0;) {
    nested += 'A';
    append_integer(nested, inside * 5);
  }
  Message message;
  message.properties.headers = HeaderTable("\1n" + nested);
  message.properties.correlation_id = "behind";
  EXPECT_EQ(round_trip(message).properties, message.properties);
}

TEST(Decoder, SkipsTheServerPropertiesHoweverDeepTheyAre) {
  std::string nested = "\1nA"s;
  for (std::uint32_t inside = 13'000; inside-- > 0;) {
    append_integer(nested, inside * 5);
    nested += inside > 0 ? "A" : "";
  }
  std::string payload = "\0\x0A\0\x0A\0\x9"s;
  append_integer(payload, static_cast<std::uint32_t>(nested.size()));
  payload += nested + "\0\0\0\5PLAIN\0\0\0\5en_US"s;
  Decoder decoder;
  const auto method = decoder.method(payload);
  ASSERT_TRUE(method) << method.error();
  EXPECT_EQ(std::get<method::ConnectionStart>(*method).mechanisms, "PLAIN");
}

TEST(Decoder, RefusesMethodsThatNoBrokerSendsWithoutDecodingThem) {
  std::string out;
  append(out, 1, method::QueueDeclare{.queue = "q", .type = "classic"});
  auto payload = frames(out, 100)->front();
  Decoder decoder;
  EXPECT_EQ(decoder.method(payload).error(),
            "command invalid 503: method 50.10 is not for a client");
}

TEST(Decoder, RefusesMoreFlagsThanThereAreProperties) {
  Decoder decoder;
  for (const char last : {'\1', '\2', '\3'}) {
    std::string payload = "\0\x3C\0\0\0\0\0\0\0\0\0\0\0"s + last;
    EXPECT_FALSE(decoder.content_header(payload));
  }
}

TEST(Decoder, RefusesEveryTruncationAndSurvivesEveryChange) {
  const Message message{.routing_key = "q", .properties = every_property(), .body = {}};
  std::string out;
  append_message(out, 1, kFrameMaxDefault, message, {});
  const std::string whole = frames(out, 1'000, kFrameMaxDefault)->at(1);
  Decoder decoder;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string payload = whole.substr(0, size);
    EXPECT_FALSE(decoder.content_header(payload)) << size;
  }
  int readable = 0;
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string payload = whole;
    for (int change = 0; change < 3; ++change) {
      payload[random() % payload.size()] = static_cast<char>(random());
    }
    readable += decoder.content_header(payload).has_value() ? 1 : 0;
  }
  EXPECT_GT(readable, 0) << "either answer will do; sanitizers watch";
}

TEST(Decoder, SurvivesMethodsOfRandomBytes) {
  const std::vector<std::string> known{test::start(),
                                       test::tune({}),
                                       test::close_connection(320, "CONNECTION_FORCED"),
                                       test::blocked("low"),
                                       test::declare_ok(1, "q"),
                                       test::ack(1, 2),
                                       test::deliver(1, 2),
                                       test::returned(1, "q"),
                                       test::cancel(1)};
  Decoder decoder;
  int readable = 0;
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    const std::string& frame = known[random() % known.size()];
    std::string payload = frame.substr(7, frame.size() - 8);
    payload.resize(random() % (payload.size() + 1));
    for (int change = 0; change < 2 && payload.size() > 4; ++change) {
      payload[4 + (random() % (payload.size() - 4))] = static_cast<char>(random());
    }
    readable += decoder.method(payload).has_value() ? 1 : 0;
  }
  EXPECT_GT(readable, 0) << "either answer will do; sanitizers watch";
}

}  // namespace
}  // namespace amqp
