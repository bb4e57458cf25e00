#include "server/recent_letters.h"

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "service/answer.h"

namespace inventory::server {
namespace {

using namespace std::string_literals;

constexpr domain::Timestamp kFailedAt{std::chrono::seconds(1'000'000)};
constexpr const char* kFailedAtText = "1970-01-12T13:46:40.000000+00:00";

amqp::Properties with_ids(const std::optional<std::string>& message_id,
                          const std::optional<std::string>& correlation_id = std::nullopt) {
  amqp::Properties properties;
  properties.message_id = message_id;
  properties.correlation_id = correlation_id;
  return properties;
}

amqp::Properties with_headers(const amqp::HeaderTable& headers, amqp::Properties properties = {}) {
  properties.headers = headers;
  return properties;
}

amqp::Message letter_of(const std::string& body, const amqp::Properties& properties = {}) {
  amqp::Delivery request;
  request.properties = properties;
  request.body = body;
  return service::make_dead_letter(request, "orders", "invalid", "order_id is missing", kFailedAt)
      .message;
}

std::string text_at(const boost::json::object& letter, std::string_view member) {
  return std::string(letter.at(member).as_string());
}

class RecentLettersTest : public ::testing::Test {
 protected:
  void add(const std::string& body, const amqp::Properties& properties = {}) {
    letters_.add("orders", letter_of(body, properties));
  }
  boost::json::array page() { return boost::json::parse(letters_.as_json()).as_array(); }
  boost::json::object newest() { return page().at(0).as_object(); }

  RecentLetters letters_;
};

TEST_F(RecentLettersTest, TellWhatALetterIs) {
  EXPECT_EQ(letters_.as_json(), "[]");
  amqp::HeaderTable headers;
  headers.add_string("mine", "<script>");
  add("{\"a\":\n1}", with_headers(headers, with_ids("m", "c")));
  const auto letter = newest();
  EXPECT_EQ(letter.at("queue"), "orders.dlq");
  EXPECT_EQ(letter.at("at"), kFailedAtText);
  EXPECT_EQ(letter.at("reason"), "invalid");
  EXPECT_EQ(letter.at("message"), "order_id is missing");
  EXPECT_EQ(letter.at("message_id"), "m");
  EXPECT_EQ(letter.at("correlation_id"), "c");
  EXPECT_EQ(letter.at("body"), "{\"a\":\n1}");
  EXPECT_EQ(letter.at("body_bytes"), 8);
  EXPECT_EQ(letter.at("headers").at("mine"), "<script>");
  EXPECT_EQ(letter.at("headers").at("original-queue"), "orders");
  EXPECT_EQ(letter.at("replay"), "inventory-service dead-letters replay --queue=orders --id=m");
}

TEST_F(RecentLettersTest, AreTheNewestHundredTheNewestFirst) {
  for (int i = 0; i < 250; ++i) add(std::to_string(i));
  const auto letters = page();
  ASSERT_EQ(letters.size(), 100U);
  EXPECT_EQ(letters.at(0).at("body"), "249");
  EXPECT_EQ(letters.at(99).at("body"), "150");
}

TEST_F(RecentLettersTest, ShowTheBeginningOfWhatIsLong) {
  add(std::string(4095, 'x') + "ö and more");
  EXPECT_EQ(text_at(newest(), "body"), std::string(4095, 'x')) << "no half of a character";
  EXPECT_EQ(newest().at("body_bytes"), 4095 + 11);
  add(std::string(4094, 'x') + "ö and more");
  EXPECT_EQ(text_at(newest(), "body"), std::string(4094, 'x') + "ö");
  add(std::string(5000, '\x80'));
  EXPECT_EQ(newest().at("body").as_string().size(), 4096U * 4);
  amqp::HeaderTable headers;
  headers.add_string("small", "1");
  headers.add_string("large", std::string(5000, 'x'));
  add("x", with_headers(headers));
  EXPECT_EQ(newest().at("headers"), (boost::json::object{{"small", "1"}}));
  EXPECT_EQ(newest().at("reason"), "invalid");
}

TEST_F(RecentLettersTest, AreJsonWhateverBytesTheyHold) {
  amqp::HeaderTable headers;
  headers.add_entry("\1nd\x7F\xF8\0\0\0\0\0\0"s);
  headers.add_string("\xFF", "\xFE");
  add("\xFF\0\x1b\"\\\xC3"s, with_headers(headers, with_ids("\0"s, "\xFF\n")));
  const auto letter = newest();
  EXPECT_EQ(text_at(letter, "body"), "\\xff\0\x1b\"\\\\xc3"s);
  EXPECT_EQ(letter.at("body_bytes"), 6);
  EXPECT_EQ(text_at(letter, "message_id"), "\0"s);
  EXPECT_EQ(letter.at("correlation_id"), "\\xff\n");
  EXPECT_EQ(letter.at("headers").at("n"), "nan");
}

TEST_F(RecentLettersTest, AreAPageOfBoundedSize) {
  for (int i = 0; i < 100; ++i) {
    amqp::HeaderTable headers;
    for (int name = 0; name < 2000; ++name) headers.add_entry("\1\x01V"s);
    headers.add_entry("\1aA\0\0\x0F\xF0"s + std::string(0xFF0, 'V'));
    add(std::string(65'536, '\x01'), with_headers(headers));
  }
  EXPECT_LE(letters_.as_json().size(), RecentLetters::kPageBytesMax);
  EXPECT_GT(page().size(), 20U);
}

TEST_F(RecentLettersTest, CannotBeReplayedWhereTheyAreNotWhole) {
  amqp::Message letter = letter_of("large", with_ids("m"));
  service::drop_body(letter);
  letters_.add("orders", letter);
  EXPECT_TRUE(newest().at("replay").is_null());
  EXPECT_EQ(newest().at("headers").at("body-dropped"), "5 bytes");
  letter = letter_of("x", with_ids("m"));
  service::drop_foreign_headers(letter);
  letters_.add("orders", letter);
  EXPECT_TRUE(newest().at("replay").is_null());
}

TEST_F(RecentLettersTest, TellOfALetterWithoutHeaders) {
  amqp::Message letter;
  letter.routing_key = "orders.dlq";
  letters_.add("orders", letter);
  EXPECT_EQ(newest().at("reason"), "");
  EXPECT_TRUE(newest().at("message_id").is_null());
  EXPECT_TRUE(newest().at("replay").is_null());
}

TEST(ReplayCommand, NamesAnIdInQuotes) {
  const std::string begin = "inventory-service dead-letters replay --queue=orders ";
  EXPECT_EQ(replay_command("orders", "it's $(reboot)", "c", kFailedAtText),
            begin + R"(--id='it'\''s $(reboot)')");
  EXPECT_EQ(replay_command("orders", "-rf", "c", kFailedAtText), begin + "--id=-rf");
  EXPECT_EQ(replay_command("orders", "", "c d", kFailedAtText), begin + "--id='c d'");
  EXPECT_EQ(replay_command("a b", std::nullopt, "c", kFailedAtText),
            "inventory-service dead-letters replay --queue='a b' --id=c");
}

TEST(ReplayCommand, NamesTheTimeWhereNoIdCanStandOnACommandLine) {
  const std::string by_time = "inventory-service dead-letters replay --queue=orders --failed-at=" +
                              std::string(kFailedAtText);
  EXPECT_EQ(replay_command("orders", "a\nb", "\xFF", kFailedAtText), by_time);
  EXPECT_EQ(replay_command("orders", std::nullopt, std::nullopt, kFailedAtText), by_time);
  EXPECT_EQ(replay_command("orders", "\x1b[201~", "c", kFailedAtText),
            "inventory-service dead-letters replay --queue=orders --id=c");
  EXPECT_EQ(replay_command("orders", std::nullopt, std::nullopt, ""), std::nullopt);
  EXPECT_EQ(replay_command("a\u202E", "m", std::nullopt, kFailedAtText), std::nullopt);
}

}  // namespace
}  // namespace inventory::server
