#include "store/sqlite/timestamp.h"

#include <gtest/gtest.h>

namespace inventory::store::sqlite {
namespace {

using domain::Timestamp;
using std::chrono::microseconds;

TEST(Timestamp, IsWrittenAsSqlAlchemyWritesIt) {
  EXPECT_EQ(to_text(Timestamp(microseconds(1'795'402'800'123'456))), "2026-11-23 03:00:00.123456");
  EXPECT_EQ(to_text(Timestamp(microseconds(0))), "1970-01-01 00:00:00.000000");
  EXPECT_EQ(to_text(Timestamp(microseconds(-1))), "1969-12-31 23:59:59.999999");
}

TEST(Timestamp, IsReadAsItWasWritten) {
  for (const std::int64_t time :
       {-1L, 0L, 1L, 951'827'696'000'001L, 1'795'402'800'123'456L, 253'402'300'799'999'999L}) {
    const Timestamp written{microseconds(time)};
    EXPECT_EQ(to_timestamp(to_text(written)), written);
  }
}

TEST(Timestamp, IsNotReadFromAnythingElse) {
  for (const char* text : {"", "2026-11-23", "2026-11-23 03:00:00", "2026-11-23T03:00:00.123456",
                           "2026-11-23 03:00:00.12345x", "2026-02-30 03:00:00.123456",
                           "2026-11-23 03:00:00.1234567"}) {
    EXPECT_EQ(to_timestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace inventory::store::sqlite
