#include "ops/http_address.h"

#include <gtest/gtest.h>

namespace inventory::ops {
namespace {

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

TEST(HttpHost, IsTheMachinesOwnWhereOnlyThatIsListenedOn) {
  for (const auto* listening : {"127.0.0.1:9464", "localhost:9464", "[::1]:9464"}) {
    const auto address = *parse_http_address(listening);
    for (const auto* host : {"localhost", "LocalHost:9464", "localhost.:1", "shop.localhost",
                             "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]", "10.0.0.1:80"}) {
      EXPECT_TRUE(is_host_of(address, host)) << listening << " " << host;
    }
    for (const auto* host : {"", "evil.example", "evil.example:9464", "localhost.evil.example",
                             "127.0.0.1.evil.example", "[", "[evil]", ":9464", "notlocalhost"}) {
      EXPECT_FALSE(is_host_of(address, host)) << listening << " " << host;
    }
  }
}

TEST(HttpHost, IsAnyNameWhereTheNetworkCanReachTheListener) {
  for (const auto* listening : {"0.0.0.0:9464", "[::]:9464", "inventory:9464", "10.0.0.7:9464"}) {
    EXPECT_TRUE(is_host_of(*parse_http_address(listening), "inventory-service:9464")) << listening;
  }
}

}  // namespace
}  // namespace inventory::ops
