#include "server/console.h"

#include <array>
#include <exception>
#include <string>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <prometheus/registry.h>

#include "server/console_files.h"
#include "service/answer.h"
#include "service/testing/fakes.h"

namespace inventory::server {
namespace {

using service::Condition;
using service::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

amqp::Task<amqp::Result<std::unique_ptr<QueueCounter>>> refuse_to_open() {
  co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "away"});
}

class ConsoleTest : public ::testing::Test {
 protected:
  ops::HttpResponse get(const std::string& target) {
    context_.restart();
    auto response = boost::asio::co_spawn(
        context_, ops::handle_request(routes_, ops::make_request("GET", target)),
        boost::asio::use_future);
    context_.run();
    return response.get();
  }
  boost::json::object read(const std::string& target) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_THAT(response.body, ::testing::EndsWith("\n"));
    return boost::json::parse(response.body).as_object();
  }

  // Runs for so many points of the history; `at_point` is called between them.
  void run(int points, const std::function<void(int)>& at_point = [](int) {}) {
    int past = 0;
    clock_.on_sleep = [&, points] {
      at_point(past);
      if (++past == points) console_.stop();
    };
    bool ended = false;
    context_.restart();
    boost::asio::co_spawn(context_, console_.run(), [&](const std::exception_ptr& error) {
      ended = true;
      EXPECT_EQ(error, nullptr);
    });
    context_.run();
    EXPECT_TRUE(ended);
  }

  boost::asio::io_context context_;
  service::testing::FakeClock clock_;
  prometheus::Registry registry_;
  static constexpr std::array kOutcomes{Outcome::accepted};
  FlowMetrics metrics_{registry_, "orders", kOutcomes};
  service::Status status_{Condition::consuming, ""};
  std::vector<ops::HealthCheck> checks_{{"broker", ""}};
  std::optional<store::HoldCounts> holds_;
  Console console_{
      context_.get_executor(),
      clock_,
      refuse_to_open,
      {"orders"},
      {.checks = [this] { return checks_; },
       .queues =
           [this] { return std::vector<ConsoleQueue>{{"order", "orders", status_, &metrics_}}; },
       .holds = [this] { return holds_; }}};
  std::vector<ops::HttpRoute> routes_ = console_.routes();
};

TEST_F(ConsoleTest, TellsOfTheInstance) {
  const auto status = read("/status");
  const auto& instance = status.at("instance").as_object();
  EXPECT_THAT(std::string(instance.at("version").as_string()), HasSubstr("."));
  EXPECT_FALSE(instance.at("host").as_string().empty());
  EXPECT_EQ(instance.at("pid"), getpid());
  EXPECT_EQ(instance.at("started_at"), "1970-01-12T13:46:40.000000+00:00");
  clock_.pass(seconds(1));
  EXPECT_EQ(read("/status").at("now"), "1970-01-12T13:46:41.000000+00:00");
  EXPECT_EQ(status.at("ready"), true);
  EXPECT_TRUE(status.at("holds").is_null());
}

TEST_F(ConsoleTest, TellsWhatFailsWhateverBytesTheReasonHas) {
  checks_ = {{"broker", "no\xFF\nhost \u202E<b>"}, {"database", "", "a note"}};
  status_ = {Condition::broker_unavailable, "\x1b[1m"};
  holds_ = {.open = 3, .due = 2, .overdue = milliseconds(1'999)};
  const auto status = read("/status");
  EXPECT_EQ(status.at("ready"), false);
  const auto& checks = status.at("checks").as_array();
  EXPECT_EQ(checks.at(0), (boost::json::object{{"name", "broker"},
                                               {"problem", "no\\xff\\x0ahost \\xe2\\x80\\xae<b>"},
                                               {"note", ""}}));
  EXPECT_EQ(checks.at(1).at("note"), "a note");
  const auto& queue = status.at("queues").at(0);
  EXPECT_EQ(queue.at("condition"), "broker unavailable");
  EXPECT_EQ(queue.at("reason"), "\\x1b[1m");
  EXPECT_EQ(status.at("holds"),
            (boost::json::object{{"open", 3}, {"due", 2}, {"overdue_seconds", 1}}));
}

TEST_F(ConsoleTest, TellsWhatAQueueDoes) {
  metrics_.received(5);
  metrics_.waiting(2);
  metrics_.put_aside(1);
  EXPECT_EQ(read("/status").at("queues").at(0), (boost::json::object{{"kind", "order"},
                                                                     {"queue", "orders"},
                                                                     {"condition", "consuming"},
                                                                     {"reason", ""},
                                                                     {"ready", nullptr},
                                                                     {"consumers", nullptr},
                                                                     {"in_flight", 5},
                                                                     {"replies_waiting", 2},
                                                                     {"put_aside", 1},
                                                                     {"dead_letters", nullptr}}));
}

TEST_F(ConsoleTest, KeepsAHistory) {
  const FlowMetrics::TimePoint now{seconds(1)};
  run(4, [&](int point) {
    if (point == 0) metrics_.acknowledged({}, std::vector(3, now - milliseconds(10)), now);
    if (point == 2) metrics_.acknowledged({}, std::vector(1, now - milliseconds(10)), now);
  });
  const auto history = read("/status").at("history").as_object();
  EXPECT_EQ(history.at("interval_seconds"), 5);
  EXPECT_EQ(history.at("last_at"), "1970-01-12T13:46:55.000000+00:00");
  const auto& orders = history.at("queues").at("orders");
  EXPECT_EQ(orders.at("decided"), (boost::json::array{3, 0, 1}));
  EXPECT_EQ(orders.at("p50_ms"), (boost::json::array{7.5, nullptr, 7.5}));
  EXPECT_EQ(orders.at("p99_ms"), (boost::json::array{9.95, nullptr, 9.95}));
}

TEST_F(ConsoleTest, ListsDeadLetters) {
  EXPECT_EQ(read("/dead-letters"),
            (boost::json::object{
                {"queues", boost::json::array{{{"queue", "orders.dlq"}, {"count", nullptr}}}},
                {"letters", boost::json::array{}},
                {"since", "1970-01-12T13:46:40.000000+00:00"}}));
  amqp::Delivery request;
  request.body = "x";
  console_.letters().add(
      "orders", service::make_dead_letter(request, "orders", "invalid", "why", {}).message);
  EXPECT_EQ(read("/dead-letters").at("letters").at(0).at("body"), "x");
}

TEST_F(ConsoleTest, HasThePage) {
  const auto page = get("/");
  EXPECT_EQ(page.status, 200U);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr(R"(src="/console/console.js")"));
  EXPECT_EQ(get("/console/console.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/console/console.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/console/icon.svg").content_type, "image/svg+xml");
}

TEST_F(ConsoleTest, HasTheLibraryThatDrawsCharts) {
  const auto library = get("/console/chart.js");
  EXPECT_EQ(library.status, 200U);
  EXPECT_EQ(library.content_type, "text/javascript; charset=utf-8");
  EXPECT_THAT(library.body, StartsWith("/*!\n * Chart.js v"));
  EXPECT_GT(library.body.size(), 100'000U);
}

TEST_F(ConsoleTest, HasNoOtherFiles) {
  for (const char* target : {"/console/", "/console/x.js", "/console/../console/chart.js",
                             "/console/chart.js/", "/console/chart%2Ejs", "/console"}) {
    EXPECT_EQ(get(target).status, 404U) << target;
  }
}

TEST(ContentType, IsThatOfTheEndOfTheName) {
  EXPECT_EQ(content_type("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type("a.b.css"), "text/css; charset=utf-8");
  EXPECT_EQ(content_type("icon.svg"), "image/svg+xml");
  EXPECT_EQ(content_type("js"), "text/plain; charset=utf-8");
}

}  // namespace
}  // namespace inventory::server
