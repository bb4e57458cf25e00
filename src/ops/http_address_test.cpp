#include "ops/http_address.h"

#include <gmock/gmock.h>

namespace inventory::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HttpAddress, IsAHostAndAPort) {
  EXPECT_EQ(parse_http_address("127.0.0.1:9464"), (HttpAddress{"127.0.0.1", 9464}));
  EXPECT_EQ(parse_http_address("localhost:0"), (HttpAddress{"localhost", 0}));
  EXPECT_EQ(parse_http_address("[::1]:65535"), (HttpAddress{"::1", 65535}));
  EXPECT_EQ((HttpAddress{"::1", 9464}).display(), "[::1]:9464");
}

TEST(HttpAddress, IsNothingElse) {
  for (const auto* text : {"", ":", ":9464", "9464", "h", "h:", "h:x", "h:-1", "h:65536", "h:1 ",
                           "::1:9464", "[]:1", "http://h:1", "h h:1", "h\n:1", "h/:1"}) {
    EXPECT_FALSE(parse_http_address(text)) << text;
  }
}

TEST(HttpHost, IsTheListenersOwnOrOneThatWasNamed) {
  const std::vector<std::string> names{"shop.example"};
  for (const auto* listening :
       {"127.0.0.1:9464", "localhost:9464", "[::1]:9464", "0.0.0.0:9464", "[::]:9464"}) {
    const auto address = *parse_http_address(listening);
    for (const auto* host : {"localhost", "LocalHost:9464", "localhost.:1", "shop.localhost",
                             "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]", "10.0.0.1:80",
                             "shop.example", "Shop.Example:443", "shop.example."}) {
      EXPECT_TRUE(is_host_of(address, names, host)) << listening << " " << host;
    }
    for (const auto* host : {"",
                             "evil.example",
                             "evil.example:9464",
                             "localhost.evil.example",
                             "127.0.0.1.evil.example",
                             "[",
                             "[evil]",
                             ":9464",
                             "notlocalhost",
                             "a.shop.example",
                             "shop.example.evil.example",
                             "inventory:9464",
                             "127.0.0.1:9464.evil.example",
                             "localhost:evil.example",
                             "127.0.0.1:0x1f40",
                             "127.0.0.1:-1",
                             "127.0.0.1:80:80",
                             "[::1]x",
                             "[::1]:80.evil",
                             "[::1]evil:80",
                             "[[::1]]",
                             "[evil.example]:80",
                             "evil.example@127.0.0.1",
                             "127.0.0.1:80@evil.example",
                             "0177.0.0.1",
                             "2130706433",
                             "127.1",
                             "127.0.0.256",
                             "0x7f000001"}) {
      EXPECT_FALSE(is_host_of(address, names, host)) << listening << " " << host;
    }
  }
  EXPECT_TRUE(is_host_of(*parse_http_address("inventory:9464"), {}, "Inventory"));
  EXPECT_FALSE(is_host_of(*parse_http_address("inventory:9464"), {}, "shop.example"));
}

TEST(HttpHost, IsReachedFromThisMachineAloneOnLoopback) {
  for (const auto* listening : {"127.0.0.1:1", "127.1.2.3:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(is_on_loopback(*parse_http_address(listening))) << listening;
  }
  for (const auto* listening : {"0.0.0.0:1", "[::]:1", "inventory:1", "10.0.0.7:1"}) {
    EXPECT_FALSE(is_on_loopback(*parse_http_address(listening))) << listening;
  }
}

TEST(HttpHosts, AreNamesWithOrWithoutPorts) {
  EXPECT_THAT(*parse_http_hosts(""), IsEmpty());
  EXPECT_THAT(*parse_http_hosts("Shop.Example,inventory:8443,a_b-1."),
              ElementsAre("shop.example", "inventory", "a_b-1"));
}

TEST(HttpHosts, AreNothingElse) {
  for (const auto* text :
       {",", "a,", ",a", "a,,b", "a, b", "a b", "https://a", "a/", "a:", "a:x", "*", "a\nb"}) {
    EXPECT_FALSE(parse_http_hosts(text)) << text;
  }
}

}  // namespace
}  // namespace inventory::ops
