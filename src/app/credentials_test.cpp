#include "app/credentials.h"

#include <gtest/gtest.h>

namespace inventory::app {
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
        "sqlite:inventory.db", "sqlite:///a?b=c", "amqp://"}) {
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
  EXPECT_EQ(mask_credentials("postgresql://u:a:b@h/db?x=@"), "postgresql://u:***@h/db?x=@");
}

TEST(MaskCredentials, HidesWhatIsNoUrl) {
  EXPECT_EQ(mask_credentials("host=h password=p"), "***");
  EXPECT_EQ(mask_credentials(""), "***");
}

}  // namespace
}  // namespace inventory::app
