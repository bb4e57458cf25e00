#include "ops/logging.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "log/fields.h"

namespace inventory::ops {
namespace {

using std::chrono::microseconds;
using testing::MatchesRegex;

constexpr microseconds kWhen{1'790'132'400'000'042};  // 2026-09-23T03:00:00.000042Z

std::string format(LogFormat format, spdlog::level::level_enum level, std::string_view message,
                   microseconds when = kWhen) {
  const spdlog::details::log_msg record(spdlog::log_clock::time_point(when), {}, "", level,
                                        {message.data(), message.size()});
  spdlog::memory_buf_t line;
  make_log_formatter(format)->format(record, line);
  return {line.data(), line.size()};
}

std::string message_read_back(std::string_view message) {
  const std::string line = format(LogFormat::json, spdlog::level::info, message);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  return std::string(boost::json::parse(line).at("message").as_string());
}

// Sets the zone of local times while it lives.
class Zone {
 public:
  explicit Zone(const char* name) { set(name); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  ~Zone() { set("UTC"); }

 private:
  static void set(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
};

TEST(JsonLog, IsOneObjectALineWithTimeLevelAndMessage) {
  EXPECT_EQ(format(LogFormat::json, spdlog::level::warn, "broker is gone"),
            R"({"time":"2026-09-23T03:00:00.000042Z","level":"warn","message":"broker is gone"})"
            "\n");
}

TEST(JsonLog, KeepsTheDigitsOfATimeBefore1970) {
  EXPECT_THAT(format(LogFormat::json, spdlog::level::info, "", microseconds(-1)),
              testing::StartsWith(R"({"time":"1969-12-31T23:59:59.999999Z")"));
}

TEST(JsonLog, CallsErrorsAndWorseErrors) {
  EXPECT_THAT(format(LogFormat::json, spdlog::level::err, ""),
              testing::HasSubstr(R"("level":"error")"));
  EXPECT_THAT(format(LogFormat::json, spdlog::level::critical, ""),
              testing::HasSubstr(R"("level":"error")"));
}

TEST(JsonLog, IsReadBackAsItWasWrittenWhateverTheMessageHolds) {
  std::string every;
  for (char c = 0; c < 127; ++c) every.push_back(c);
  every += "\x7F \u00E9 \u20AC \U0001F600 \"quoted\" C:\\path";
  EXPECT_EQ(message_read_back(every), every);
}

TEST(JsonLog, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(message_read_back("a\xFFz\xE2\x82"), "a\uFFFDz\uFFFD\uFFFD");
  EXPECT_EQ(message_read_back("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
}

TEST(TextLog, GivesLocalTimeWithItsZone) {
  const Zone zone("XXX-05:30");
  EXPECT_EQ(format(LogFormat::text, spdlog::level::info, "ready", kWhen + microseconds(9'000)),
            "2026-09-23 08:30:00.009+05:30 info  ready\n");
  const Zone west("XXX+03:30");
  EXPECT_EQ(format(LogFormat::text, spdlog::level::err, "no", kWhen),
            "2026-09-22 23:30:00.000-03:30 error no\n");
}

TEST(TextLog, CannotBeForgedByALineBreakOrATerminalSequenceInAMessage) {
  const Zone zone("UTC");
  EXPECT_EQ(format(LogFormat::text, spdlog::level::debug, "queue \"a\nb\" \x1B[1m \u009B1m \xFF"),
            "2026-09-23 03:00:00.000+00:00 debug queue \"a\\nb\" \\u001b[1m \\u009b1m \uFFFD\n");
}

TEST(Logging, WritesToStandardErrorWhatIsAtLeastOfTheLevel) {
  testing::internal::CaptureStderr();
  set_up_logging(LogLevel::warn, LogFormat::json);
  spdlog::info("not this");
  spdlog::warn("this");
  spdlog::error("and this");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex("\\{[^\n]*\"message\":\"this\"\\}\n"
                           "\\{[^\n]*\"message\":\"and this\"\\}\n"));
}

TEST(Logging, UsesNoColourWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  set_up_logging(LogLevel::trace, LogFormat::text);
  spdlog::trace("plain");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), MatchesRegex("[-+0-9:. ]+ trace plain\n"));
}

std::string written(LogFormat format, const log::Fields& fields) {
  testing::internal::CaptureStderr();
  set_up_logging(LogLevel::info, format);
  log::write(spdlog::level::warn, fields, "{}: refused", "orders");
  spdlog::info("and something else");
  return testing::internal::GetCapturedStderr();
}

TEST(Logging, SaysInTextWhatARecordIsAbout) {
  EXPECT_THAT(written(LogFormat::text,
                      {.queue = "orders", .order_id = "a-1", .product_id = 7, .trace_id = "0af"}),
              MatchesRegex("[-+0-9:. ]+ warn  orders: refused order_id=a-1 product_id=7 "
                           "trace_id=0af\n[-+0-9:. ]+ info  and something else\n"));
}

TEST(Logging, SaysInJsonWhatARecordIsAbout) {
  EXPECT_THAT(written(LogFormat::json,
                      {.queue = "orders", .order_id = "42", .product_id = 7, .trace_id = "0af"}),
              testing::HasSubstr(R"("message":"orders: refused","queue":"orders","order_id":"42",)"
                                 R"("product_id":7,"trace_id":"0af"})"));
}

TEST(Logging, LeavesOutWhatARecordIsNotAbout) {
  EXPECT_THAT(written(LogFormat::text, {.queue = "orders", .order_id = ""}),
              testing::HasSubstr("orders: refused\n"));
  EXPECT_THAT(written(LogFormat::json, {.queue = "orders", .order_id = ""}),
              testing::HasSubstr(R"("message":"orders: refused","queue":"orders"})"));
}

TEST(Logging, LetsNoFieldForgeAnotherOrARecord) {
  const std::string evil = "1 trace_id=2\"\n\x1b,\"level\":\"info";
  const std::string text = written(LogFormat::text, {.queue = "q", .order_id = evil});
  EXPECT_THAT(text, testing::HasSubstr(R"(order_id="1 trace_id=2\"\n\u001b,\"level\":\"info")"
                                       "\n"));
  const std::string json = written(LogFormat::json, {.queue = "q", .order_id = evil});
  const auto record = boost::json::parse(json.substr(0, json.find('\n'))).as_object();
  EXPECT_EQ(record.size(), 5U);
  EXPECT_EQ(record.at("order_id").as_string(), evil);
  EXPECT_EQ(record.at("level").as_string(), "warn");
}

TEST(Logging, KeepsLinesWholeWhenThreadsLogAtTheSameTime) {
  constexpr int kLines = 200;
  testing::internal::CaptureStderr();
  set_up_logging(LogLevel::info, LogFormat::json);
  const auto log = [] {
    for (int i = 0; i < kLines; ++i) spdlog::info("line");
  };
  {
    const std::jthread one(log);
    const std::jthread other(log);
  }
  const std::string output = testing::internal::GetCapturedStderr();
  int lines = 0;
  for (std::size_t begin = 0; begin < output.size(); ++lines) {
    const std::size_t end = output.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(boost::json::parse(output.substr(begin, end - begin)).at("message"), "line");
    begin = end + 1;
  }
  EXPECT_EQ(lines, 2 * kLines);
}

}  // namespace
}  // namespace inventory::ops
