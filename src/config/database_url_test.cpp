#include "config/database_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::config {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string sqlite_path(std::string_view url) {
  const auto parsed = parse_database_url(url);
  return parsed ? std::get<SqlitePath>(*parsed).path : "error: " + parsed.error();
}

std::string postgres_url(std::string_view url) {
  const auto parsed = parse_database_url(url);
  return parsed ? std::get<PostgresUrl>(*parsed).url : "error: " + parsed.error();
}

TEST(DatabaseUrl, ReadsSqlitePathsAsTheyAre) {
  EXPECT_EQ(sqlite_path("sqlite:inventory.db"), "inventory.db");
  EXPECT_EQ(sqlite_path("sqlite:/var/lib/inventory.db"), "/var/lib/inventory.db");
  EXPECT_EQ(sqlite_path("sqlite:a b?#.db"), "a b?#.db");
}

TEST(DatabaseUrl, ReadsSqlitePathsAsSqlAlchemyWritesThem) {
  EXPECT_EQ(sqlite_path("sqlite:///inventory.db"), "inventory.db");
  EXPECT_EQ(sqlite_path("sqlite:////var/lib/inventory.db"), "/var/lib/inventory.db");
  EXPECT_EQ(sqlite_path("sqlite+aiosqlite:///./inventory.db"), "./inventory.db");
}

TEST(DatabaseUrl, RefusesASqliteDatabaseThatIsNoFile) {
  EXPECT_THAT(sqlite_path("sqlite:"), HasSubstr("path of the file is missing"));
  EXPECT_THAT(sqlite_path("sqlite:///"), HasSubstr("path of the file is missing"));
  EXPECT_THAT(sqlite_path("sqlite://"), HasSubstr("sqlite:///PATH"));
  EXPECT_THAT(sqlite_path("sqlite://host/inventory.db"), HasSubstr("a file has no host"));
  EXPECT_THAT(sqlite_path("sqlite::memory:"), HasSubstr("forget the stock"));
  EXPECT_THAT(sqlite_path("sqlite:///:memory:"), HasSubstr("forget the stock"));
  EXPECT_THAT(sqlite_path("sqlite:///a.db?timeout=5"), HasSubstr("?parameters"));
}

TEST(DatabaseUrl, DropsTheDriverThatSqlAlchemyNames) {
  const std::string url = "postgresql://u:p%40@h1:5432,h2/db";
  EXPECT_EQ(postgres_url("postgresql://u:p%40@h1:5432,h2/db"), url);
  EXPECT_EQ(postgres_url("postgres://u:p%40@h1:5432,h2/db"), url);
  EXPECT_EQ(postgres_url("postgresql+asyncpg://u:p%40@h1:5432,h2/db"), url);
  EXPECT_EQ(postgres_url("postgresql+psycopg2://u:p%40@h1:5432,h2/db"), url);
}

TEST(DatabaseUrl, TurnsAsyncpgsSslIntoLibpqsSslmode) {
  EXPECT_EQ(postgres_url("postgresql+asyncpg://h/db?ssl=require"),
            "postgresql://h/db?sslmode=require");
  EXPECT_EQ(postgres_url("postgresql://h/db?application_name=x&ssl=verify-full"),
            "postgresql://h/db?application_name=x&sslmode=verify-full");
  EXPECT_EQ(postgres_url("postgresql://h/db?ssl=true"), "postgresql://h/db?sslmode=require");
  EXPECT_THAT(postgres_url("postgresql://h/db?ssl=yes"), HasSubstr("sslmode takes disable"));
}

TEST(DatabaseUrl, KeepsTheNameOfAnAbstractSocket) {
  EXPECT_EQ(postgres_url("postgresql://u@%40socket,%40other/db"),
            "postgresql://u@%40socket,%40other/db");
}

TEST(DatabaseUrl, KeepsAQuestionMarkOfThePassword) {
  EXPECT_EQ(postgres_url("postgresql://u:a?ssl=b@h/db"), "postgresql://u:a?ssl=b@h/db");
}

TEST(DatabaseUrl, RefusesAUrlThatLibpqCannotReadWithoutRepeatingIt) {
  for (const char* url :
       {"postgresql://u:hunter2%zz@h/db", "postgresql://u:hunter2@h/db?nothing=hunter2",
        "postgresql://u:hunter2@[::1/db", "postgresql://u:hunter2/x@h/db",
        "postgresql://h:0/db?password=hunter2", "postgresql://u:hunter2@h:65536/db",
        "postgresql://u%3Ahunter2%40h/db", "postgresql://h,u%3Ahunter2%40h/db",
        "postgresql://u:hunter2@h:5x/db", "postgresql://u:hunter2@h/db?sslmode=hunter2"}) {
    const std::string error = postgres_url(url);
    EXPECT_THAT(error, testing::StartsWith("error: ")) << url;
    EXPECT_GT(error.size(), 10U) << url;
    EXPECT_THAT(error, Not(HasSubstr("hunter2"))) << url;
  }
}

TEST(DatabaseUrl, RefusesWhatIsNoneOfItsForms) {
  for (const char* url : {"", "inventory.db", "mysql://h/db", "host=h dbname=db", "postgresql:db",
                          "sqlite", "://", "+asyncpg://h", "Postgresql://h"}) {
    const auto parsed = parse_database_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error(), "") << url;
  }
}

}  // namespace
}  // namespace inventory::config
