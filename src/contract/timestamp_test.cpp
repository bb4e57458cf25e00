#include "contract/timestamp.h"

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

using std::chrono::microseconds;

TEST(Timestamp, IsReadAsItIsWritten) {
  for (const std::int64_t count : {0LL, 1LL, 951'782'400'000'000LL, 1'795'612'800'123'456LL}) {
    const domain::Timestamp time{microseconds(count)};
    EXPECT_EQ(parse_timestamp(format_timestamp(time)), time) << format_timestamp(time);
  }
}

TEST(Timestamp, IsNotReadFromAnythingElse) {
  for (const char* text :
       {"", "2026-11-23", "2026-11-23T03:00:00.123456Z", "2026-11-23T03:00:00.123456+01:00",
        "2026-02-30T03:00:00.123456+00:00", "2026-11-23T24:00:00.123456+00:00",
        "2026-11-23 03:00:00.123456+00:00", "2026-1x-23T03:00:00.123456+00:00"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace inventory::contract
