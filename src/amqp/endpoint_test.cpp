#include "amqp/endpoint.h"

#include <gtest/gtest.h>

namespace amqp {
namespace {

Endpoint parsed(std::string_view url) {
  const auto endpoint = parse_url(url);
  EXPECT_TRUE(endpoint) << url << ": " << endpoint.error();
  return endpoint.value_or(Endpoint{});
}

std::string refusal(std::string_view url) {
  const auto endpoint = parse_url(url);
  EXPECT_FALSE(endpoint) << url;
  return endpoint ? "" : endpoint.error();
}

TEST(Endpoint, ReadsEveryPart) {
  EXPECT_EQ(parsed("amqps://me:secret@broker:1234/orders?heartbeat=7"),
            (Endpoint{.hosts = {{"broker", 1234}},
                      .tls = true,
                      .user = "me",
                      .password = "secret",
                      .vhost = "orders",
                      .heartbeat = std::chrono::seconds(7)}));
}

TEST(Endpoint, FillsInWhatIsMissing) {
  EXPECT_EQ(parsed("amqp://broker"), (Endpoint{.hosts = {{"broker", 5672}}}));
  EXPECT_EQ(parsed("amqps://broker").hosts.front().port, 5671);
  EXPECT_EQ(parsed("amqp://me@broker").password, "guest");
  EXPECT_EQ(parsed("amqp://me:@broker").password, "");
  EXPECT_EQ(parsed("amqp://broker:").hosts.front().port, 5672);
  EXPECT_FALSE(parse_url("amqp://broker:99999"));
  EXPECT_FALSE(parse_url("amqp://broker:65536"));
  EXPECT_FALSE(parse_url("amqp://broker:0"));
}

TEST(Endpoint, TakesNoPathAndAnEmptyOneForTheStandardVhost) {
  for (const auto* url : {"amqp://h", "amqp://h/", "amqp://h/%2F", "amqp://h/%2f?heartbeat=0"}) {
    EXPECT_EQ(parsed(url).vhost, "/") << url;
  }
}

TEST(Endpoint, DecodesPercentSigns) {
  const auto endpoint = parsed("amqp://m%40e:p%3A%2F%23%25@h/a%2Fb%20c");
  EXPECT_EQ(endpoint.user, "m@e");
  EXPECT_EQ(endpoint.password, "p:/#%");
  EXPECT_EQ(endpoint.vhost, "a/b c");
}

TEST(Endpoint, ReadsSeveralHosts) {
  EXPECT_EQ(parsed("amqp://me:pw@a:1,b,[::1]:3,10.0.0.1/v").hosts,
            (std::vector<Host>{{"a", 1}, {"b", 5672}, {"::1", 3}, {"10.0.0.1", 5672}}));
}

TEST(Endpoint, IgnoresOtherParameters) {
  EXPECT_EQ(parsed("amqp://h?connection_timeout=5&heartbeat=9&x").heartbeat,
            std::chrono::seconds(9));
}

TEST(Endpoint, IsShownWithoutCredentials) {
  EXPECT_EQ(parsed("amqps://me:pw@a,[::1]:3/orders").display(), "amqps://a:5671,[::1]:3/orders");
  EXPECT_EQ(parsed("amqp://a").display(), "amqp://a:5672/%2F");
}

TEST(Endpoint, IsShownInCharactersOfAUrl) {
  const auto endpoint = parsed("amqp://a/%22%7F%C3%A9%5B%20%25:@");
  EXPECT_EQ(endpoint.display(), "amqp://a:5672/%22%7F%C3%A9%5B%20%25:@");
  EXPECT_EQ(parsed(endpoint.display()), endpoint);
}

TEST(Endpoint, RefusesWhatIsWrong) {
  for (const auto* url : {"",
                          "broker",
                          "broker:5672",
                          "http://h",
                          "amqp:/h",
                          "amqp://",
                          "amqp://,a",
                          "amqp://a,",
                          "amqp://a,,b",
                          "amqp://h:0",
                          "amqp://h:65536",
                          "amqp://h:99999999999",
                          "amqp://h:x",
                          "amqp://a:1,b:x",
                          "amqp://h/a/b",
                          "amqp://h//",
                          "amqp://h/a/",
                          "amqp://h?heartbeat=",
                          "amqp://h?heartbeat=-1",
                          "amqp://h?heartbeat=65536",
                          "amqp://h?heartbeat=1s",
                          "amqp://u%00:p@h",
                          "amqp://u:%zz@h",
                          "amqp://h/%00%",
                          "amqp://[::1",
                          "amqp://a b"}) {
    EXPECT_NE(refusal(url), "") << url;
  }
  EXPECT_NE(refusal("amqp://h/" + std::string(256, 'v')), "");
  EXPECT_NE(refusal("amqp://" + std::string(1025, 'u') + "@h"), "");
}

TEST(Endpoint, NamesNoCredentialWhenItRefuses) {
  for (const auto* url :
       {"amqp://user:hush@h:x", "amqp://user:hush#1@h", "amqp://user:12#hush@h",
        "amqp://user:hu/sh@h", "amqp://user:hush@h:1@h", "http://user:hush@h", "user:hush@h",
        "amqp://user%3Ahush%40h", "amqp://a,user%3Ahush%40h", "amqp://user:hush@h/a/b",
        "amqp://user:hush@h?heartbeat=x", "amqp://user:hush%@h"}) {
    const std::string text = refusal(url);
    EXPECT_EQ(text.find("hush"), std::string::npos) << text;
    EXPECT_EQ(text.find("user:"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace amqp
