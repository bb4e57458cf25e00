#include "ops/logging.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "log/fields.h"
#include "ops/log_writer.h"
#include "terminal/printable.h"
#include "terminal/utf8.h"

namespace inventory::ops {
namespace {

using spdlog::memory_buf_t;
using spdlog::details::log_msg;

void append(memory_buf_t& line, std::string_view text) {
  line.append(text.data(), text.data() + text.size());
}

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

// Appends a control character as an escape of JSON (RFC 8259, section 7): \n, \u001b.
void append_control(memory_buf_t& line, int code) {
  switch (code) {
    case '\n':
      return append(line, "\\n");
    case '\r':
      return append(line, "\\r");
    case '\t':
      return append(line, "\\t");
    default:
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", code);
  }
}

// Appends a message with control characters escaped and invalid UTF-8 replaced; for JSON, quotes
// and backslashes are escaped too.
void append_message(memory_buf_t& line, std::string_view message, LogFormat format) {
  while (!message.empty()) {
    const std::size_t size = terminal::utf8_character_size(message);
    if (size == 0) {
      append(line, "\uFFFD");
      message.remove_prefix(1);
      continue;
    }
    const std::string_view character = message.substr(0, size);
    message.remove_prefix(size);
    if (const int code = terminal::harmful_code(character); code >= 0) {
      append_control(line, code);
      continue;
    }
    if (format == LogFormat::json && (character == "\"" || character == "\\")) line.push_back('\\');
    append(line, character);
  }
}

// A value in quotes, as a JSON string.
void append_quoted(memory_buf_t& line, std::string_view value) {
  line.push_back('"');
  append_message(line, value, LogFormat::json);
  line.push_back('"');
}

bool is_plain_word(std::string_view value) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  return !value.empty() && value.find_first_not_of(kPlain) == std::string_view::npos;
}

void append_fields_as_text(memory_buf_t& line, const log::Fields& fields) {
  const auto append_word = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    fmt::format_to(std::back_inserter(line), " {}=", name);
    is_plain_word(value) ? append(line, value) : append_quoted(line, value);
  };
  append_word("order_id", fields.order_id);
  if (fields.product_id) {
    fmt::format_to(std::back_inserter(line), " product_id={}", *fields.product_id);
  }
  append_word("trace_id", fields.trace_id);
}

void append_fields_as_json(memory_buf_t& line, const log::Fields& fields) {
  const auto append_member = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    fmt::format_to(std::back_inserter(line), R"(,"{}":)", name);
    append_quoted(line, value);
  };
  append_member("queue", fields.queue);
  append_member("order_id", fields.order_id);
  if (fields.product_id) {
    fmt::format_to(std::back_inserter(line), R"(,"product_id":{})", *fields.product_id);
  }
  append_member("trace_id", fields.trace_id);
}

// A time as seconds since the epoch and the remaining microseconds.
std::pair<std::time_t, std::chrono::microseconds> split(spdlog::log_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {spdlog::log_clock::to_time_t(seconds),
          std::chrono::floor<std::chrono::microseconds>(time - seconds)};
}

class TextFormatter : public spdlog::formatter {
 public:
  void format(const log_msg& message, memory_buf_t& line) override {
    const auto [seconds, rest] = split(message.time);
    std::tm local{};
    localtime_r(&seconds, &local);
    const auto minutes_east = local.tm_gmtoff / 60;
    fmt::format_to(std::back_inserter(line),
                   "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}{}{:02}:{:02} ", local.tm_year + 1900,
                   local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                   rest.count() / 1000, minutes_east < 0 ? '-' : '+', std::abs(minutes_east) / 60,
                   std::abs(minutes_east) % 60);
    message.color_range_start = line.size();
    append(line, name_of(message.level));
    message.color_range_end = line.size();
    line.push_back(' ');
    if (name_of(message.level).size() == 4) line.push_back(' ');  // messages in one column
    append_message(line, {message.payload.data(), message.payload.size()}, LogFormat::text);
    if (const auto* fields = log::current_fields()) append_fields_as_text(line, *fields);
    line.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<TextFormatter>();
  }
};

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const log_msg& message, memory_buf_t& line) override {
    const auto [seconds, rest] = split(message.time);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    fmt::format_to(std::back_inserter(line),
                   R"({{"time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z","level":"{}",)",
                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                   utc.tm_sec, rest.count(), name_of(message.level));
    append(line, R"("message":)");
    append_quoted(line, {message.payload.data(), message.payload.size()});
    if (const auto* fields = log::current_fields()) append_fields_as_json(line, *fields);
    append(line, "}\n");
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

// The colours of spdlog's own sinks for terminals.
std::string_view color_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "\x1b[37m";
    case spdlog::level::debug:
      return "\x1b[36m";
    case spdlog::level::info:
      return "\x1b[32m";
    case spdlog::level::warn:
      return "\x1b[33m\x1b[1m";
    default:
      return "\x1b[31m\x1b[1m";
  }
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format) {
  if (format == LogFormat::json) return std::make_unique<JsonFormatter>();
  return std::make_unique<TextFormatter>();
}

void set_up_logging(LogLevel level, LogFormat format) {
  const auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  const auto logger = std::make_shared<spdlog::logger>("", sink);
  logger->set_formatter(make_log_formatter(format));
  logger->set_level(spdlog_level(level));
  spdlog::set_default_logger(logger);
}

// Formats on the thread that logs, which has the record's fields, and passes the line on.
class BackgroundLog::Sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Sink(int descriptor) : writer_(descriptor), is_terminal_(::isatty(descriptor) == 1) {}

  std::uint64_t dropped() const { return writer_.dropped(); }

 protected:
  void sink_it_(const log_msg& message) override {
    say_what_was_dropped(message.time);
    write(message);
  }

  void flush_() override {}

 private:
  // Counts all lines since the start, because the record that says so may be dropped itself.
  void say_what_was_dropped(spdlog::log_clock::time_point now) {
    const std::uint64_t dropped = writer_.dropped();
    if (dropped == said_) return;
    const auto text = fmt::format(
        "{} log lines were dropped since the start: what the log is written to takes no more",
        dropped);
    if (write(log_msg(now, {}, "", spdlog::level::warn, text))) said_ = dropped;
  }

  bool write(const log_msg& message) {
    memory_buf_t line;
    formatter_->format(message, line);
    const std::string_view text(line.data(), line.size());
    if (!is_terminal_ || message.color_range_end <= message.color_range_start) {
      return writer_.write(text);
    }
    return writer_.write(fmt::format(
        "{}{}{}\x1b[m{}", text.substr(0, message.color_range_start), color_of(message.level),
        text.substr(message.color_range_start, message.color_range_end - message.color_range_start),
        text.substr(message.color_range_end)));
  }

  LogWriter writer_;
  bool is_terminal_;
  std::uint64_t said_ = 0;
};

BackgroundLog::BackgroundLog(LogLevel level, LogFormat format, int descriptor)
    : sink_(std::make_shared<Sink>(descriptor)), before_(spdlog::default_logger()) {
  const auto logger = std::make_shared<spdlog::logger>("", sink_);
  logger->set_formatter(make_log_formatter(format));
  logger->set_level(spdlog_level(level));
  spdlog::set_default_logger(logger);
}

BackgroundLog::~BackgroundLog() { spdlog::set_default_logger(before_); }

std::uint64_t BackgroundLog::dropped() const { return sink_->dropped(); }

}  // namespace inventory::ops
