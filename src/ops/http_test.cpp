#include "ops/http.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace inventory::ops {
namespace {

HttpHandler says(const std::string& text) {
  return immediately([text](const HttpRequest& request) {
    return HttpResponse{.body = text + " " + request.path + " " + request.query};
  });
}

HttpResponse ask(std::string_view method, std::string_view target) {
  const std::vector<HttpRoute> routes{{"/items", says("list")}, {"/items/", says("one")}};
  boost::asio::io_context context;
  auto response = boost::asio::co_spawn(
      context, handle_request(routes, make_request(method, target)), boost::asio::use_future);
  context.run();
  return response.get();
}

TEST(HandleRequest, FindsARouteByItsPathOrByWhatItsPathBeginsWith) {
  EXPECT_EQ(ask("GET", "/items?after=3").body, "list /items after=3");
  EXPECT_EQ(ask("HEAD", "/items/7").body, "one /items/7 ");
}

TEST(HandleRequest, FindsThePathInATargetThatNamesAHost) {
  EXPECT_EQ(ask("GET", "http://inventory:9090/items?after=3").body, "list /items after=3");
  EXPECT_EQ(ask("GET", "HTTP://[::1]/items/7").body, "one /items/7 ");
  EXPECT_EQ(ask("GET", "http://inventory").status, 404U);
  EXPECT_EQ(ask("GET", "http://inventory?after=3").status, 404U);
}

TEST(HandleRequest, Answers404WhereNoRouteFits) {
  for (const auto* target : {"/", "", "*", "/item", "/itemsx", "//items", "/items%2F7"}) {
    EXPECT_EQ(ask("GET", target).status, 404U) << target;
  }
}

TEST(HandleRequest, Answers405AndTheMethodsThatDoToAnyOther) {
  for (const auto* method : {"POST", "PUT", "DELETE", "get", "BREW"}) {
    const auto response = ask(method, "/items");
    EXPECT_EQ(response.status, 405U) << method;
    EXPECT_EQ(response.allow, "GET, HEAD") << method;
  }
  EXPECT_EQ(ask("POST", "/nowhere").status, 404U);
}

TEST(PercentDecoded, IsTheTextThatAPartOfATargetStandsFor) {
  EXPECT_EQ(percent_decoded("A-17%2f%C3%A9+%25"), "A-17/é+%");
  EXPECT_EQ(percent_decoded("a+b%2B", true), "a b+");
  EXPECT_EQ(percent_decoded("%00"), std::string(1, '\0'));
  EXPECT_EQ(percent_decoded(""), "");
  for (const char* text : {"%", "%4", "a%4", "%zz", "%4z", "%+4", "%-1", "% 4"}) {
    EXPECT_EQ(percent_decoded(text), std::nullopt) << text;
  }
}

TEST(QueryParameter, IsFoundByItsWholeName) {
  EXPECT_EQ(query_parameter("after=3&limit=5", "limit"), "5");
  EXPECT_EQ(query_parameter("verbose", "verbose"), "");
  EXPECT_EQ(query_parameter("a=1&a=2", "a"), "1");
  EXPECT_EQ(query_parameter("verbosely=1&x=verbose", "verbose"), std::nullopt);
  EXPECT_EQ(query_parameter("", ""), std::nullopt);
}

}  // namespace
}  // namespace inventory::ops
