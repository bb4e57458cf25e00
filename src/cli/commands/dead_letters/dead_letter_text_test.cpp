#include "cli/commands/dead_letters/dead_letter_text.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using namespace std::string_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

DeadLetter letter(std::string body) {
  amqp::Delivery delivery;
  delivery.body = std::move(body);
  amqp::Properties& properties = delivery.properties;
  properties.correlation_id = "c-1";
  properties.priority = 3;
  amqp::HeaderTable& headers = properties.headers.emplace();
  headers.add_string("error-reason", "invalid");
  headers.add_string("error-message", "quantity \x1b[31mis \xFFmissing");
  headers.add_string("failed-at", "2026-11-23T03:00:00.123456+00:00");
  headers.add_entry("\1nF\0\0\0\x0C\1aA\0\0\0\5t\1u\1\2"s);
  return read_dead_letter("orders.dlq", 12, std::move(delivery));
}

TEST(DeadLetterText, IsOneLineInATable) {
  const std::string line = table_line(letter("{}"), 0);
  EXPECT_EQ(line,
            "    12  2026-11-23 03:00:00  invalid                 2  "
            "quantity \\x1b[31mis \\xffmissing           c-1");
  EXPECT_EQ(table_head(0).find("MESSAGE"), line.find("quantity"));
  EXPECT_EQ(table_head(0).find("ID"), line.find("c-1"));
}

TEST(DeadLetterText, IsCutToTheTerminal) {
  EXPECT_THAT(table_line(letter("{}"), 80), EndsWith("  quantity \\x1b[31mis \\xf…"));
  EXPECT_THAT(table_head(80), EndsWith("  MESSAGE                …"));
}

TEST(DeadLetterText, ShowsAllOfALetter) {
  const std::string text = full_text(letter("{\n\"a\": \"\x07é\"\n}"));
  EXPECT_THAT(text, HasSubstr("orders.dlq, message 12\n"));
  EXPECT_THAT(text, HasSubstr("  correlation_id: c-1\n"));
  EXPECT_THAT(text, HasSubstr("  n: {\"a\":[true,258]}\n"));
  EXPECT_THAT(text, HasSubstr("body, 14 bytes:\n{\n\"a\": \"\\x07é\"\n}\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(DeadLetterText, SaysThatALetterCannotBeDecodedAndWhy) {
  amqp::Delivery delivery;
  delivery.properties.correlation_id = "c-1";
  delivery.undecodable = "its headers are malformed";
  const DeadLetter undecodable = read_dead_letter("q", 1, delivery);
  EXPECT_THAT(table_line(undecodable, 0), HasSubstr("cannot be decoded: its headers are malform"));
  EXPECT_THAT(full_text(undecodable),
              HasSubstr("cannot be decoded: its headers are malformed; what "
                        "was understood:\nproperties:\n"));
  EXPECT_EQ(boost::json::parse(json_line(undecodable)).at("undecodable"),
            "its headers are malformed");
  EXPECT_EQ(boost::json::parse(json_line(letter("{}"))).at("undecodable"), nullptr);
  EXPECT_THAT(full_text(letter("{}")), Not(HasSubstr("decoded")));
}

TEST(DeadLetterText, IsJsonForMachines) {
  const auto value = boost::json::parse(json_line(letter("{\"a\":1}"))).as_object();
  EXPECT_EQ(value.at("queue"), "orders.dlq");
  EXPECT_EQ(value.at("position"), 12);
  EXPECT_EQ(value.at("failed_at"), "2026-11-23T03:00:00.123456+00:00");
  EXPECT_EQ(value.at("reason"), "invalid");
  EXPECT_EQ(value.at("original_queue"), nullptr);
  EXPECT_EQ(value.at("properties").at("priority"), 3);
  EXPECT_EQ(value.at("headers").at("n").at("a").at(1), 258);
  EXPECT_EQ(value.at("body"), "{\"a\":1}");
  const auto bytes = boost::json::parse(json_line(letter("\xFF\xFE"))).as_object();
  EXPECT_EQ(bytes.at("body").at("base64"), "//4=");
}

TEST(DeadLetterText, DoesNotFollowHeadersWithoutAnEnd) {
  std::string nested;
  for (int i = 0; i < 1'000; ++i) {
    std::string entry = "\1xF"s;
    const auto size = static_cast<std::uint32_t>(nested.size());
    for (int shift = 24; shift >= 0; shift -= 8) entry += static_cast<char>(size >> shift);
    nested.insert(0, entry);
  }
  amqp::Delivery delivery;
  delivery.properties.headers.emplace(std::move(nested));
  EXPECT_LT(json_line(read_dead_letter("q", 1, std::move(delivery))).size(), 400U);
}

}  // namespace
}  // namespace inventory::cli
