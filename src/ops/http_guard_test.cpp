#include "ops/http_guard.h"

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace inventory::ops {
namespace {

TEST(HttpGuard, AdmitsEveryHostToPublicPagesOfAListenerThatTheNetworkReaches) {
  const HttpGuard guard({"0.0.0.0", 9464}, {.hosts = {"shop.example"}});
  EXPECT_TRUE(guard.admits_host("inventory-service:9464", true));
  EXPECT_FALSE(guard.admits_host("inventory-service:9464", false));
  EXPECT_TRUE(guard.admits_host("shop.example", false));
  EXPECT_TRUE(guard.admits_host("10.0.0.7:9464", false));
}

TEST(HttpGuard, AdmitsItsOwnHostsAloneOnLoopback) {
  const HttpGuard guard({"127.0.0.1", 9464}, {.hosts = {"shop.example"}});
  for (const bool is_public : {false, true}) {
    EXPECT_TRUE(guard.admits_host("localhost:9464", is_public));
    EXPECT_TRUE(guard.admits_host("shop.example:443", is_public));
    EXPECT_FALSE(guard.admits_host("evil.example", is_public));
  }
}

bool admits(const std::vector<std::string_view>& authorization, std::string token = "s3:cret") {
  return HttpGuard({"127.0.0.1", 9464}, {.token = std::move(token)})
      .admits_holder(authorization, false);
}

TEST(HttpGuard, AsksNobodyForATokenWhereThereIsNoneOrThePageIsPublic) {
  EXPECT_TRUE(HttpGuard({"127.0.0.1", 9464}, {}).admits_holder({}, false));
  EXPECT_TRUE(HttpGuard({"127.0.0.1", 9464}, {.token = "t"}).admits_holder({}, true));
  EXPECT_FALSE(HttpGuard({"127.0.0.1", 9464}, {.token = "t"}).admits_holder({}, false));
}

TEST(HttpGuard, TakesTheTokenAsBearerAndAsThePasswordOfAnyUser) {
  EXPECT_TRUE(admits({"Bearer s3:cret"}));
  EXPECT_TRUE(admits({"bearer  s3:cret"}));
  EXPECT_TRUE(admits({"Basic YW5uYTpzMzpjcmV0"}));  // anna:s3:cret
  EXPECT_TRUE(admits({"BASIC OnMzOmNyZXQ="}));      // :s3:cret
  EXPECT_TRUE(admits({"Basic w6Q6w7YK"}, "\xC3\xB6\n"));
  EXPECT_TRUE(admits({"Basic YTp4"}, "x"));
  EXPECT_TRUE(admits({"Basic YTp4eA=="}, "xx"));
}

TEST(HttpGuard, TakesNothingElse) {
  const std::string huge(100'000, 'A');
  for (const std::string& header :
       std::vector<std::string>{"",
                                " ",
                                "Bearer",
                                "Bearer ",
                                "Basic",
                                "Basic ",
                                "s3:cret",
                                "Bearer s3:cre",
                                "Bearer s3:cret1",
                                "Bearer S3:CRET",
                                "Bearer s3:cret s3:cret",
                                "Bearer\ts3:cret",
                                "Bearers s3:cret",
                                "Token s3:cret",
                                "Digest YW5uYTpzMzpjcmV0",
                                "Bearer YW5uYTpzMzpjcmV0",
                                "Basic s3:cret",
                                "Basic YW5uYTpzMzpjcmV",    // a character is missing
                                "Basic YW5uYTpzMzpjcmV0=",  // one too many
                                "Basic YW5uYTpzMzpjcmV0====",
                                "Basic YW5uY=pzMzpjcmV0",
                                "Basic YW5uYTpz-zpjcmV0",
                                "Basic YW5uYTpzMzpjcmV0 x",
                                "Basic ====",
                                "Basic =",
                                "Basic OnMzOmNyZXQ\n",
                                "Basic czM6Y3JldA==",  // s3:cret: the password is "cret"
                                "Basic czNjcmV0",      // s3cret: no colon
                                "Bearer " + huge,
                                "Basic " + huge,
                                huge,
                                std::string("Bearer s3:cret\0", 15)}) {
    EXPECT_FALSE(admits({header})) << header.substr(0, 100);
  }
}

TEST(HttpGuard, TakesOneHeaderAlone) {
  EXPECT_FALSE(admits({"Bearer s3:cret", "Bearer s3:cret"}));
  EXPECT_FALSE(admits({"Bearer wrong", "Bearer s3:cret"}));
  EXPECT_FALSE(admits({}));
}

// Whatever comes is taken apart without harm, and none of it is the token.
TEST(HttpGuard, TakesNoRandomBytes) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
  const HttpGuard guard({"127.0.0.1", 9464}, {.token = "s3:cret"});
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 3 == 0 ? "Basic " : i % 3 == 1 ? "Bearer " : "";
    for (auto size = random() % 40; size > 0; --size) {
      text += i % 2 == 0 ? static_cast<char>(random() % 256) : "AZaz09+/=: "[random() % 11];
    }
    const std::string_view header = text;
    EXPECT_FALSE(guard.admits_holder({&header, 1}, false)) << text;
  }
}

}  // namespace
}  // namespace inventory::ops
