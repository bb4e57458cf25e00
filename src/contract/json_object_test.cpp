#include "contract/json_object.h"

#include <array>

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

constexpr std::array<std::string_view, 1> kWanted{"a"};

JsonValue member(std::string_view body) {
  const auto object = read_json_object(body, kWanted);
  return object ? object->values[0] : JsonValue(object.error());
}

template <class T>
bool holds(std::string_view body) {
  return std::holds_alternative<T>(member(body));
}

TEST(JsonObject, GivesBackTheObjectAsItCameWithoutTheWhiteSpaceAroundIt) {
  const auto object = read_json_object(" \r\n\t{ \"a\" : 1E+2, \"b\":1e400 }\n", kWanted);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->text, "{ \"a\" : 1E+2, \"b\":1e400 }");
}

TEST(JsonObject, ReadsIntegersOnlyWhereTheyAreSpeltAsIntegersWithinTheirLimits) {
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"a":7})")), 7);
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"a":-0})")), 0);
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"a":9007199254740991})")), kIntegerMax);
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"a":-9007199254740991})")), -kIntegerMax);
  for (const auto* body :
       {R"({"a":2.0})", R"({"a":2e0})", R"({"a":9007199254740992})", R"({"a":-9007199254740992})",
        R"({"a":18446744073709551615})", R"({"a":12345678901234567890123})", R"({"a":true})",
        R"({"a":[1]})", R"({"a":{"a":1}})"}) {
    EXPECT_TRUE(holds<Other>(body)) << body;
  }
  EXPECT_TRUE(holds<Null>(R"({"a":null})"));
  EXPECT_TRUE(holds<Absent>(R"({"b":1})"));
}

TEST(JsonObject, ReadsStringsWithEscapesInKeyAndValue) {
  EXPECT_EQ(std::get<std::string>(member(R"({"\u0061":"\u00e9\ud83d\ude00\n\u0000"})")),
            std::string("é😀\n\0", 8));
  const std::string longer(100'000, 'x');
  EXPECT_EQ(std::get<std::string>(member(R"({"a":")" + longer + "\"}")), longer);
}

TEST(JsonObject, LooksAtTheOutermostMembersOnly) {
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"x":{"a":2},"y":[{"a":3}],"a":1,"z":{"a":4}})")), 1);
  EXPECT_TRUE(holds<Absent>(R"({"x":{"a":2}})"));
}

TEST(JsonObject, TakesTheLastOfAMemberThatOccursTwice) {
  EXPECT_EQ(std::get<std::int64_t>(member(R"({"a":1,"a":2})")), 2);
  EXPECT_TRUE(holds<Other>(R"({"a":1,"a":[2]})"));
}

TEST(JsonObject, RefusesWhatIsNoJsonObject) {
  for (const auto* body : {"",
                           " ",
                           "[]",
                           "1",
                           "\"a\"",
                           "null",
                           "true",
                           "{",
                           "{}}",
                           "{} {}",
                           "{\"a\":01}",
                           "{'a':1}",
                           "{\"a\":1,}",
                           "{\"a\":NaN}",
                           "{\"a\":Infinity}",
                           "{/**/}",
                           "\xef\xbb\xbf{}",
                           "{\"a\":\"\xff\"}",
                           "{\"a\":\"\xc0\x80\"}",
                           "{\"a\":\"\xed\xa0\x80\"}",
                           "{\"a\":\"\n\"}",
                           "{\"a\" 1}"}) {
    EXPECT_FALSE(read_json_object(body, kWanted)) << body;
  }
  EXPECT_FALSE(read_json_object(std::string_view("{\"a\":1}\0", 8), kWanted));
}

TEST(JsonObject, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(read_json_object("[]", kWanted).error(), "body is not a JSON object");
  EXPECT_EQ(read_json_object("  {\"a\":?}", kWanted).error(),
            "body cannot be read as JSON: syntax error at byte 7");
}

TEST(JsonObject, SaysTheSameOfABodyWithoutAnythingInItWhereverItLies) {
  for (const std::string body : {"", "  "}) {
    EXPECT_EQ(
        read_json_object(body, kWanted).error(),
        "body cannot be read as JSON: incomplete JSON at byte " + std::to_string(body.size()));
  }
}

TEST(JsonObject, TakesHalfOfASurrogatePairWhereItIsOnlyEchoed) {
  for (const std::string lone : {R"(\ud83d)", R"(\uDE00)", R"(\ud83d\ud83d)", R"(\ud83dx)",
                                 R"(\ud83d\n)", R"(\ude00\ud83d)"}) {
    const std::string body = R"({"note":"gift )" + lone + R"(","a":"whole \ud83d\ude00"})";
    const auto object = read_json_object(body, kWanted);
    ASSERT_TRUE(object) << object.error();
    EXPECT_EQ(object->text, body);
    EXPECT_TRUE(object->has_lone_surrogates);
    EXPECT_EQ(std::get<std::string>(object->values[0]), "whole 😀");
    EXPECT_TRUE(std::get<std::string>(member(R"({"a":")" + lone + "\"}")).contains('\0')) << lone;
  }
  EXPECT_FALSE(read_json_object(R"({"a":"\ud83d\ude00 \\ud83d"})", kWanted)->has_lone_surrogates);
  EXPECT_EQ(std::get<std::string>(member(R"({"a":"\\ud83d"})")), R"(\ud83d)");
  EXPECT_FALSE(read_json_object(R"({"a":"\ud83"})", kWanted));
  EXPECT_FALSE(read_json_object(R"({"a":\ud83d})", kWanted));
  EXPECT_EQ(read_json_object(R"({"b":"\ud83d","a":?})", kWanted).error(),
            "body cannot be read as JSON: syntax error at byte 18");
}

TEST(JsonObject, BoundsItsDepth) {
  const auto nested = [](std::size_t depth) {
    return R"({"b":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read_json_object(nested(kDepthMax - 1), kWanted));
  EXPECT_FALSE(read_json_object(nested(kDepthMax), kWanted));
  EXPECT_FALSE(read_json_object(nested(1'000'000), kWanted));
}

TEST(JsonObject, WritesStringsThatItReadsBack) {
  for (const std::string& text : {std::string("a\"b\\c\n\t\x01/é😀"), std::string(2000, '"')}) {
    std::string json = R"({"a":)";
    append_json_string(json, text);
    EXPECT_EQ(std::get<std::string>(member(json + "}")), text);
  }
}

}  // namespace
}  // namespace inventory::contract
