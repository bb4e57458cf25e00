#include "server/message_json.h"

#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "amqp/header_table.h"

namespace inventory::server {
namespace {

using namespace std::string_literals;

std::string text_of(const boost::json::value& value) { return boost::json::serialize(value); }

TEST(BytesJson, IsAStringOrBase64) {
  EXPECT_EQ(text_of(bytes_json("ö \"\n\x1b")), R"("ö \"\n\u001b")");
  EXPECT_EQ(text_of(bytes_json("")), R"("")");
  EXPECT_EQ(text_of(bytes_json("\xFF\xFE")), R"({"base64":"//4="})");
}

TEST(HeadersJson, HasTheTypesOfTheTable) {
  amqp::HeaderTable table;
  table.add_string("text", "<b>");
  table.add_bool("flag", true);
  table.add_entry("\3intl\0\0\0\0\0\0\0\7"s);
  table.add_entry("\4noneV"s);
  table.add_entry("\4listA\0\0\0\2VV"s);
  EXPECT_EQ(text_of(headers_json(table.encoded())),
            R"({"text":"<b>","flag":true,"int":7,"none":null,"list":[null,null]})");
}

TEST(HeadersJson, IsJsonWhateverTheNumber) {
  amqp::HeaderTable table;
  table.add_entry("\1ad\x7F\xF8\0\0\0\0\0\0"s);
  table.add_entry("\1bd\x7F\xF0\0\0\0\0\0\0"s);
  table.add_entry("\1cf\xFF\x80\0\0"s);
  table.add_entry("\1df\x3F\x80\0\0"s);
  const auto json = boost::json::parse(text_of(headers_json(table.encoded()))).as_object();
  EXPECT_EQ(json.at("a").as_string(), "nan");
  EXPECT_EQ(json.at("b").as_string(), "inf");
  EXPECT_EQ(json.at("c").as_string(), "-inf");
  EXPECT_EQ(json.at("d").as_double(), 1.0);
}

TEST(HeadersJson, EndsWhereTheTableIsCut) {
  amqp::HeaderTable table;
  table.add_string("a", "1");
  table.add_string("b", std::string(100, 'x'));
  EXPECT_EQ(text_of(headers_json(table.encoded().substr(0, 50))), R"({"a":"1"})");
  EXPECT_EQ(text_of(headers_json("")), "{}");
}

}  // namespace
}  // namespace inventory::server
