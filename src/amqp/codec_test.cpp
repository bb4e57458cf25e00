// Bytes to frames, methods and contents, and back.
#include <algorithm>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "amqp/decode.h"
#include "amqp/encode.h"
#include "amqp/frame.h"
#include "amqp/testing/fake_broker.h"
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

TEST(FrameReader, TakesAContentHeaderAboveTheAgreedSize) {
  for (const std::size_t size : {4'096U - 7, 4'249U, 8'192U - 8, 8'192U - 7, 8'192U, 100'000U}) {
    std::string payload(size, 'h');
    payload.front() = 'a';
    payload.back() = 'z';
    const std::string small = test::raw_frame(3, 1, "small");
    std::string bytes = small;
    bytes.append(test::raw_frame(2, 1, payload)).append(small).append(small);
    for (const std::size_t piece : {1U, 1'000U, 4'096U, 1'000'000U}) {
      EXPECT_EQ(frames(bytes, piece),
                (std::vector<std::string>{"small", payload, "small", "small"}))
          << size << " in pieces of " << piece;
    }
  }
}

TEST(FrameReader, GrowsAsALargeContentHeaderComesAndShrinksBehindIt) {
  FrameReader reader(4'096);
  std::size_t largest = 0;
  const auto feed = [&](std::string_view bytes) {
    int count = 0;
    while (!bytes.empty()) {
      const auto space = reader.space();
      EXPECT_FALSE(space.empty());
      const std::size_t size = std::min({std::size_t{1'000}, bytes.size(), space.size()});
      bytes.copy(space.data(), size);
      bytes.remove_prefix(size);
      reader.commit(size);
      largest = std::max(largest, reader.buffer_size());
      while (*reader.next()) ++count;
    }
    return count;
  };
  const std::string large = test::raw_frame(2, 1, std::string(1'000'000, 'h'));
  EXPECT_EQ(feed(large.substr(0, 10'000)), 0);
  EXPECT_EQ(largest, 16'384U) << "what is announced costs nothing yet";
  EXPECT_EQ(feed(large.substr(10'000)), 1);
  EXPECT_EQ(largest, large.size());
  reader.space();
  EXPECT_EQ(reader.buffer_size(), 8'192U);
  EXPECT_EQ(feed(test::raw_frame(3, 1, "small")), 1);
}

TEST(FrameReader, SkipsAContentHeaderAboveItsBoundWithoutHoldingIt) {
  for (const std::size_t piece : {1U, 7U, 19U, 20U, 1'000U, 4'096U, 100'000U}) {
    FrameReader reader(4'096, 10'000);
    const std::string payload = "fixed  part." + std::string(50'000, 'h');
    const std::string bytes = test::raw_frame(3, 1, "one") + test::raw_frame(2, 7, payload) +
                              test::raw_frame(3, 1, "two") + test::raw_frame(3, 1, "three");
    std::string_view rest = bytes;
    std::vector<std::string> seen;
    while (!rest.empty()) {
      const auto space = reader.space();
      ASSERT_FALSE(space.empty());
      const std::size_t size = std::min({piece, rest.size(), space.size()});
      rest.copy(space.data(), size);
      rest.remove_prefix(size);
      reader.commit(size);
      for (;;) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame) << frame.error();
        const std::optional<Frame>& whole = *frame;
        if (!whole) break;
        seen.emplace_back(whole->payload.data(), whole->payload.size());
        EXPECT_EQ(whole->size, seen.size() == 2 ? payload.size() : whole->payload.size());
        EXPECT_EQ(whole->channel, seen.size() == 2 ? 7 : 1);
      }
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"one", "fixed  part.", "two", "three"})) << piece;
    EXPECT_EQ(reader.buffer_size(), 8'192U);
  }
}

TEST(FrameReader, RefusesASkippedContentHeaderThatDoesNotEnd) {
  std::string bytes = test::raw_frame(2, 1, std::string(kHeaderFrameMax, 'h'));
  bytes.back() = 'x';
  EXPECT_EQ(frames(bytes, 1'000'000).error(), "frame error 501: frame does not end in 0xCE");
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

std::expected<ContentHeader, std::string> decode(std::string_view payload) {
  return decode_content_header(payload, payload.size());
}

// What comes out at the other end. The message's frames are method, header, bodies.
ContentHeader round_trip(const Message& message) {
  std::string out;
  EXPECT_TRUE(append_message(out, 1, kFrameMaxDefault, message, {}));
  auto payloads = frames(out, 1'000, kFrameMaxDefault);
  EXPECT_TRUE(payloads && payloads->size() >= 2);
  const auto header = decode((*payloads)[1]);
  EXPECT_TRUE(header) << header.error();
  EXPECT_FALSE(header->undecodable) << *header->undecodable;
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
  append(out, 1, method::QueueDeclare{.queue = "q"});
  auto payload = frames(out, 100)->front();
  Decoder decoder;
  EXPECT_EQ(decoder.method(payload).error(),
            "command invalid 503: method 50.10 is not for a client");
}

// A content header's payload with these flags and encoded values.
std::string header_payload(std::uint16_t flags, std::string_view values) {
  std::string properties;
  append_integer(properties, flags);
  properties.append(values);
  const std::string frame = test::header(1, 5, properties);
  return frame.substr(7, frame.size() - 8);
}

constexpr std::uint16_t kHeaders = AMQP_BASIC_HEADERS_FLAG;
constexpr std::uint16_t kTwo = AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG;

TEST(ContentHeader, IsUnderstoodButForTheFlagsThatAreNotDefined) {
  for (const unsigned undefined : {1U, 2U, 3U}) {
    const auto flags = static_cast<std::uint16_t>(kTwo | undefined);
    const auto header = decode(header_payload(flags, "\2id\5queue"));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->undecodable,
              fmt::format("its property flags 0x{:04x} hold 0x{:04x}, which AMQP 0-9-1 does not "
                          "define",
                          flags, undefined));
    EXPECT_EQ(header->properties.correlation_id, "id");
    EXPECT_EQ(header->properties.reply_to, "queue");
    EXPECT_EQ(header->body_size, 5U);
  }
}

// https://github.com/gmr/pamqp/issues/64
TEST(ContentHeader, MayAnnounceFlagsThatDoNotCome) {
  const auto header = decode(header_payload(1, ""));
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->undecodable);
  EXPECT_EQ(header->properties, Properties{});
}

TEST(ContentHeader, HoldsNothingThatWasReadWhereMoreFlagsStand) {
  const auto more = header_payload(kTwo | 1, "\0\0\2id\5queue"s);
  ASSERT_TRUE(decode(more));
  EXPECT_TRUE(decode(more)->undecodable);
  EXPECT_EQ(decode(more)->properties, Properties{});
}

TEST(ContentHeader, IsUnderstoodUpToALengthThatDoesNotFit) {
  const auto header = decode(header_payload(kTwo, "\2id\6queue"));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->undecodable, "its property reply_to is longer than its content header");
  EXPECT_EQ(header->properties.correlation_id, "id");
  EXPECT_EQ(header->properties.reply_to, std::nullopt);
  EXPECT_EQ(decode(header_payload(kHeaders, "\0\0\0\2x"s))->undecodable,
            "its property headers is longer than its content header");
}

TEST(ContentHeader, IsUnderstoodUpToWhereItsHeadersAreMalformedAndBehindThem) {
  for (const auto& bad : {"\1xZ\0\0\0\1a"s, "\1xS\0\0\0\xFF"s, "\1xA\0\0\0\1Z"s, "\5x"s,
                          "\1xF\0\0\0\7\1yS\0\0\0\1"s, "\1xA\0\0\0\2Vt\1yV"s, "\1xA\0\0\0\1t\1"s}) {
    const std::string good = "\1gt\1"s;
    std::string values;
    append_integer(values, static_cast<std::uint32_t>(good.size() + bad.size()));
    values += good + bad + "\2id\5queue";
    const auto header = decode(header_payload(kHeaders | kTwo, values));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->undecodable, "its headers are malformed");
    EXPECT_EQ(header->properties.headers, HeaderTable(good));
    EXPECT_EQ(header->properties.reply_to, "queue");
  }
}

// https://github.com/rabbitmq/rabbitmq-java-client/issues/713, and the like for 'b' from MQTT:
// https://github.com/pika/pika/issues/318
TEST(ContentHeader, IsUnderstoodWithHeadersOfEveryTypeThatRabbitMqTakes) {
  const std::string table =
      "\1aS\0\0\0\1x\1bI\0\0\0\1\1cD\0\0\0\0\1\1dT\0\0\0\0\0\0\0\0\1eF\0\0\0\0\1fA\0\0\0\0"
      "\1gb\1\1hd\0\0\0\0\0\0\0\0\1if\0\0\0\0\1jl\0\0\0\0\0\0\0\0\1ks\0\1\1lt\2\1mV\1nx\0\0\0\1x"
      "\1oB\1\1pu\0\1\1qi\0\0\0\1\1rL\0\0\0\0\0\0\0\0\1sA\0\0\0\6F\0\0\0\0V"s;
  std::string values;
  append_integer(values, static_cast<std::uint32_t>(table.size()));
  const auto header = decode(header_payload(kHeaders, values + table));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->undecodable, std::nullopt);
  EXPECT_EQ(header->properties.headers, HeaderTable(table));
}

TEST(ContentHeader, OfAnotherClassStillTellsItsBodysSize) {
  std::string payload = header_payload(kTwo, "\2id\5queue");
  payload[1] = '\x3D';
  ASSERT_TRUE(decode(payload));
  EXPECT_EQ(decode(payload)->undecodable, "its content header is of class 61 and not 60");
  EXPECT_EQ(decode(payload)->properties, Properties{});
  EXPECT_EQ(decode(payload)->body_size, 5U);
}

TEST(ContentHeader, TellsEveryTruncationAndSurvivesEveryChange) {
  const Message message{.routing_key = "q", .properties = every_property(), .body = {}};
  std::string out;
  append_message(out, 1, kFrameMaxDefault, message, {});
  const std::string whole = frames(out, 1'000, kFrameMaxDefault)->at(1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto header = decode(whole.substr(0, size));
    EXPECT_EQ(header.has_value(), size >= 12) << size;
    if (header) EXPECT_TRUE(header->undecodable) << size;
  }
  int readable = 0;
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string payload = whole;
    for (int change = 0; change < 3; ++change) {
      payload[random() % payload.size()] = static_cast<char>(random());
    }
    const auto header = decode(payload);
    ASSERT_TRUE(header);
    readable += header->undecodable ? 0 : 1;
    const Message again{.routing_key = "q", .properties = header->properties, .body = {}};
    std::string encoded;
    EXPECT_TRUE(append_message(encoded, 1, kFrameMaxDefault, again, {}));
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
