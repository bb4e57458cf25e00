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

}  // namespace
}  // namespace inventory::ops
