#include "terminal/utf8.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace inventory::terminal {
namespace {

// The shortest encoding of a code point, surrogates included.
std::string encode(std::uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | (code >> 6)), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | (code >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Utf8, KnowsEveryCharacterAndNoSurrogateAndNothingBeyondTheLast) {
  for (std::uint32_t code = 0; code < 0x120000; ++code) {
    const std::string text = encode(code);
    const bool character = (code < 0xD800 || code > 0xDFFF) && code <= 0x10FFFF;
    ASSERT_EQ(utf8_character_size(text), character ? text.size() : 0) << "U+" << std::hex << code;
  }
}

TEST(Utf8, RefusesOverlongForms) {
  EXPECT_FALSE(is_utf8("\xC0\x80"));
  EXPECT_FALSE(is_utf8("\xC1\xBF"));
  EXPECT_FALSE(is_utf8("\xE0\x9F\xBF"));
  EXPECT_FALSE(is_utf8("\xF0\x8F\xBF\xBF"));
}

TEST(Utf8, RefusesBytesThatAreCutShortOrStray) {
  EXPECT_FALSE(is_utf8("a\xE2\x82"));
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xE2\x28\xA1"));
  EXPECT_FALSE(is_utf8("\xFF"));
}

TEST(Utf8, TakesTextOfAllSizes) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\u00E9\u20AC\U0001F600"));
}

}  // namespace
}  // namespace inventory::terminal
