#include "store/postgres/connection_info.h"

#include <algorithm>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::store::postgres {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

ConnectionInfo read(const std::string& text) {
  PostgresOptions options;
  options.connection_string = text;
  return ConnectionInfo(options);
}

TEST(ConnectionInfo, TakesTheHostsOutOfAUrl) {
  const auto info = read("postgresql://u:secret@one:1,[::1]:2,10.0.0.1:3/stock");
  EXPECT_THAT(info.hosts(),
              ElementsAre(Host{"one", "", "1"}, Host{"::1", "", "2"}, Host{"10.0.0.1", "", "3"}));
  EXPECT_TRUE(info.hosts()[0].needs_lookup());
  EXPECT_FALSE(info.hosts()[1].needs_lookup());
  EXPECT_FALSE(info.hosts()[2].needs_lookup());
  EXPECT_EQ(info.where(info.hosts()[0]), "one:1/stock");
}

TEST(ConnectionInfo, LeavesSocketsAndGivenAddressesAlone) {
  const auto info = read("host=/run/postgresql,name hostaddr=,10.0.0.1 port=5432 dbname=stock");
  EXPECT_THAT(info.hosts(),
              ElementsAre(Host{"/run/postgresql", "", "5432"}, Host{"name", "10.0.0.1", "5432"}));
  EXPECT_FALSE(info.hosts()[0].needs_lookup());
  EXPECT_FALSE(info.hosts()[1].needs_lookup());
}

TEST(ConnectionInfo, WantsTheWritableOneOfSeveralHostsUnlessToldOtherwise) {
  EXPECT_THAT(read("postgresql://a,b/x").settings(),
              Contains(Pair("target_session_attrs", "read-write")));
  EXPECT_THAT(read("postgresql://a,b/x?target_session_attrs=any").settings(),
              Contains(Pair("target_session_attrs", "any")));
  EXPECT_THAT(read("postgresql://a/x").settings(),
              Not(Contains(Pair("target_session_attrs", testing::_))));
}

TEST(ConnectionInfo, AddsTheSessionsSettingsToThoseOfTheUrl) {
  PostgresOptions options;
  options.connection_string = "host=a options='-c search_path=shard'";
  options.lock_timeout = std::chrono::milliseconds(1234);
  EXPECT_THAT(ConnectionInfo(options).settings(),
              Contains(Pair("options", testing::AllOf(testing::StartsWith("-c search_path=shard "),
                                                      HasSubstr("-c lock_timeout=1234 ")))));
}

TEST(ConnectionInfo, RefusesWhatItCannotReadWithoutRepeatingIt) {
  for (const auto* text : {"postgresql//u:secret@host/db", "postgresql://u:se@secret@host/db",
                           "postgresql://u:12/secret@host/db", "postgresql://u:se/secret@host/db",
                           "postgresql://u:%secret@host/db", "host=a,b port=1,2,3 password=secret",
                           "postgresql://u:secret@host:port/db"}) {
    try {
      const auto info = read(text);
      ADD_FAILURE() << text << " was read, with host " << info.where(info.hosts()[0]);
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr("PostgreSQL connection string"));
      EXPECT_THAT(error.what(), Not(HasSubstr("secret"))) << text;
    }
  }
}

}  // namespace
}  // namespace inventory::store::postgres
