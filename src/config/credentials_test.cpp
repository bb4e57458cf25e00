#include "config/credentials.h"

#include <iterator>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/database_url.h"

namespace inventory::config {
namespace {

TEST(MaskCredentials, HidesThePasswordAndKeepsTheRest) {
  EXPECT_EQ(mask_credentials("amqp://guest:guest@localhost:5672/"),
            "amqp://guest:***@localhost:5672/");
  EXPECT_EQ(mask_credentials("amqps://u:p%40s@a:5671,b:5671/v?heartbeat=10"),
            "amqps://u:***@a:5671,b:5671/v?heartbeat=10");
  EXPECT_EQ(mask_credentials("postgresql+asyncpg://u:p@h/db"), "postgresql+asyncpg://u:***@h/db");
}

TEST(MaskCredentials, LeavesAUrlWithoutPasswordAsItIs) {
  for (const char* url :
       {"amqp://localhost", "postgresql://u@h:5432/db?sslmode=require", "postgresql:///db",
        "sqlite:inventory.db", "sqlite:///a:b@c", "sqlite+aiosqlite:///a", "amqp://"}) {
    EXPECT_EQ(mask_credentials(url), url);
  }
}

TEST(MaskCredentials, HidesPasswordsAmongTheParametersHoweverTheyAreSpelled) {
  EXPECT_EQ(mask_credentials("postgresql://h/db?user=u&password=p&sslmode=require"),
            "postgresql://h/db?user=u&password=***&sslmode=require");
  EXPECT_EQ(mask_credentials("postgresql:///?p%61ssword=p&sslpassword=q"),
            "postgresql:///?p%61ssword=***&sslpassword=***");
  EXPECT_EQ(mask_credentials("postgresql:///?%zz=p"), "postgresql:///?%zz=***");
}

TEST(MaskCredentials, HidesPasswordsWithCharactersThatShouldHaveBeenEncoded) {
  EXPECT_EQ(mask_credentials("postgresql://u:a/b@h/db"), "postgresql://u:***@h/db");
  EXPECT_EQ(mask_credentials("postgresql://u:a?b@h/db"), "postgresql://u:***@h/db");
  EXPECT_EQ(mask_credentials("postgresql://u:a@b@h/db"), "postgresql://u:***@h/db");
  EXPECT_EQ(mask_credentials("postgresql://u:a:b@h/db?x=@"), "postgresql://u:***@");
  EXPECT_EQ(mask_credentials("postgresql://u:a@b?c@h/db"), "postgresql://u:***@h/db");
  EXPECT_EQ(mask_credentials("postgresql://u@h/db?password=a:b@c"),
            "postgresql://u@h/db?password=***");
}

TEST(MaskCredentials, HidesWhatIsNoUrl) {
  EXPECT_EQ(mask_credentials("host=h password=p"), "***");
  EXPECT_EQ(mask_credentials(""), "***");
}

TEST(MaskCredentials, HidesThePasswordOfEveryUrlThatIsTakenForADatabase) {
  static constexpr std::string_view kPieces[] = {"/", "?", "@", ":", "&", "=", "%40",       "#",
                                                 "u", "1", ",", "[", "]", "+", "password=", "ssl="};
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same URLs each time
  const auto pieces = [&] {
    std::string text;
    for (auto count = random() % 4; count > 0; --count)
      text += kPieces[random() % std::size(kPieces)];
    return text;
  };
  int taken = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string url = "postgresql://u" + pieces();
    url.append(":").append(pieces()).append("hunter2").append(pieces()).append("@h/d");
    const bool is_taken = parse_database_url(url).has_value();
    taken += is_taken ? 1 : 0;
    if (is_taken) {
      ASSERT_THAT(mask_credentials(url), testing::Not(testing::HasSubstr("hunter2"))) << url;
    }
  }
  EXPECT_GT(taken, 1'000);
}

}  // namespace
}  // namespace inventory::config
