#include "contract/json_object.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include <boost/json/parse.hpp>
#include <fmt/format.h>
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

constexpr std::array<std::string_view, 2> kOfElements{"p", "q"};
constexpr JsonArrayWanted kArray{"items", kOfElements, 3};

std::string text_of(const JsonValue& value) {
  struct Text {
    std::string operator()(Absent) { return "absent"; }
    std::string operator()(Null) { return "null"; }
    std::string operator()(Other) { return "other"; }
    std::string operator()(std::int64_t number) { return std::to_string(number); }
    std::string operator()(const std::string& text) { return '"' + text + '"'; }
  };
  return std::visit(Text(), value);
}

// What was read of the members "a" and "items", as a text.
std::string members_of(std::string_view body) {
  constexpr std::array<std::string_view, 2> kMembers{"a", "items"};
  const auto object = read_json_object(body, kMembers, kArray);
  if (!object) return object.error();
  std::string text = text_of(object->values[0]) + ' ' + text_of(object->values[1]);
  if (!object->array) return text;
  text += " of " + std::to_string(object->array->size) +
          (object->array->has_others ? " with others" : "");
  for (const auto& element : object->array->elements) {
    for (const auto& value : element) text += ' ' + text_of(value);
  }
  return text;
}

TEST(JsonObject, CountsWhatIsNoObjectAmongTheElementsOfAnArray) {
  for (const auto* other : {"1", "null", "true", "\"x\"", "\"\"", "[5]", "[[5]]", "[{\"p\":5}]"}) {
    EXPECT_EQ(members_of(fmt::format(R"({{"items":[{{"p":1}},{}]}})", other)),
              "absent other of 2 with others 1 absent")
        << other;
    EXPECT_EQ(members_of(fmt::format(R"({{"items":[{{"p":1}}],"items":[{}]}})", other)),
              "absent other of 1 with others")
        << other;
  }
}

// The same, of a tree.
std::string members_of(const boost::json::object& object) {
  const auto value_of = [](const boost::json::object& from, std::string_view name) -> JsonValue {
    const auto* value = from.if_contains(name);
    if (value == nullptr) return Absent{};
    if (value->is_null()) return Null{};
    if (value->is_int64()) return value->get_int64();
    if (value->is_string()) return std::string(value->get_string());
    return Other{};
  };
  std::string text = text_of(value_of(object, "a")) + ' ' + text_of(value_of(object, "items"));
  const auto* items = object.if_contains("items");
  if (items == nullptr || !items->is_array()) return text;
  std::string elements;
  std::size_t objects = 0;
  for (const auto& item : items->get_array()) {
    if (!item.is_object() || ++objects > kArray.elements_max) continue;
    for (const auto name : kOfElements)
      elements += ' ' + text_of(value_of(item.get_object(), name));
  }
  const auto size = items->get_array().size();
  const bool has_others =
      std::ranges::any_of(items->get_array(), [](const auto& item) { return !item.is_object(); });
  return text + " of " + std::to_string(size) + (has_others ? " with others" : "") + elements;
}

// Objects whose members occur several times, with arrays and objects in each other.
class RandomJson {
 public:
  explicit RandomJson(unsigned seed) : random_(seed) {}

  std::string object(int depth) {
    std::string text = "{";
    for (auto count = below(4); count > 0; --count) {
      constexpr std::array kNames{"a", "items", "items", "p", "q", "x"};
      if (text.size() > 1) text += ',';
      text += fmt::format(R"("{}":{})", kNames[below(kNames.size())], value(depth));
    }
    return text + '}';
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::string value(int depth) {
    switch (below(depth > 4 ? 4 : 8)) {
      case 0:
        return std::to_string(below(10));
      case 1:
        return fmt::format(R"("{}")", below(3) == 0 ? "" : "t");
      case 2:
        return "null";
      case 3:
        return "true";
      case 4:
      case 5:
        return object(depth + 1);
      default:
        break;
    }
    std::string text = "[";
    for (auto count = below(5); count > 0; --count) {
      if (text.size() > 1) text += ',';
      text += below(2) == 0 ? object(depth + 1) : value(depth + 1);
    }
    return text + ']';
  }

  std::mt19937 random_;
};

TEST(JsonObject, ReadsTheSameAsATreeHas) {
  RandomJson random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::string body = random.object(0);
    ASSERT_EQ(members_of(body), members_of(boost::json::parse(body).get_object())) << body;
  }
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
