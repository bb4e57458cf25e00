#pragma once

// Reads the few members of a JSON object that a request needs, without building a tree.
//
// The object itself goes back to the sender as the bytes that came (see JsonObject::text), so that
// unknown members, big numbers and unusual spellings of numbers survive exactly.
//
// Limits: RFC 8259 with UTF-8 checked; at most kDepthMax levels; an exponent within ±2^31.
// If a member occurs twice, its last value counts, as in Python's json module.
//
// Half of a surrogate pair ("\ud83d") is valid JSON but not valid text (RFC 8259, section 8.2);
// Python, PHP and JavaScript write it when they cut a text in two. In a wanted member it is
// replaced by the character NUL, which no stored text may contain.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "contract/limits.h"

namespace inventory::contract {

inline constexpr std::size_t kDepthMax = 64;

struct Absent {};
struct Null {};
struct Other {};  // a boolean, an array, an object, or a number that is not an integer

// An integer outside of ±kIntegerMax is Other.
using JsonValue = std::variant<Absent, Null, Other, std::int64_t, std::string>;

// Whether an optional member is absent; null counts as absent.
inline bool is_none(const JsonValue& value) {
  return std::holds_alternative<Absent>(value) || std::holds_alternative<Null>(value);
}

// A wanted member that is an array of objects, and which of their members are wanted.
struct JsonArrayWanted {
  std::string_view member;  // one of the wanted members
  std::span<const std::string_view> of_elements;
  std::size_t elements_max = 0;  // the others are only counted
};

struct JsonArray {
  std::size_t size = 0;                          // all elements, kept or not
  bool has_others = false;                       // some elements are not objects
  std::vector<std::vector<JsonValue>> elements;  // the objects: one value per wanted member
};

struct JsonObject {
  std::string_view text;           // the object, without white space around it
  std::vector<JsonValue> values;   // one per wanted member, in the order asked for
  std::optional<JsonArray> array;  // if that member is an array; its value is Other
  bool has_lone_surrogates = false;
};

// The error says what is wrong and at which byte. The result's text points into `body`.
std::expected<JsonObject, std::string> read_json_object(
    std::string_view body, std::span<const std::string_view> wanted,
    const std::optional<JsonArrayWanted>& array = std::nullopt);

// What a text must not contain, for the error about a member that holds the character NUL.
std::string_view forbidden_character(const JsonObject& object);

// Appends `text` (UTF-8) as a JSON string, quotes included.
void append_json_string(std::string& to, std::string_view text);

}  // namespace inventory::contract
