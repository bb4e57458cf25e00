#pragma once

// Logging: how spdlog's default logger writes, to standard error.
//
// Invariants:
//   1. One record is one line, whatever the message holds: what others send cannot forge a record,
//      nor can a terminal obey it (printable.h).
//   2. Every line is well-formed UTF-8; bytes that are not become U+FFFD.
//
// text, for people, in local time; level and message are set apart by colour on a terminal only:
//   2026-11-23 03:00:00.123+01:00 info  connected to amqp://localhost:5672/
// json, for machines, in UTC (RFC 3339), members in this order:
//   {"time":"2026-11-23T02:00:00.123456Z","level":"info","message":"connected to ..."}
//
// What a record is about (log/fields.h) follows: in text as order_id=42 product_id=7 trace_id=...,
// in quotes where it is not one plain word; in JSON as further members, queue among them, which in
// text is what the message begins with. order_id is a JSON string, product_id a number.
//
// Threads: any thread may log; a record is formatted on it.

#include <cstdint>
#include <memory>

#include <spdlog/formatter.h>
#include <spdlog/logger.h>

namespace inventory::ops {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

// Makes spdlog's default logger write records of this level and above to standard error, each
// flushed at once. May be called again.
void set_up_logging(LogLevel level, LogFormat format);

// BackgroundLog: while it lives, records are written on a thread of their own, and nobody waits for
// whoever reads them (log_writer.h). What was dropped is said in a record of its own as soon as
// there is room again. After it, records are written as set_up_logging() has it.
class BackgroundLog {
 public:
  BackgroundLog(LogLevel level, LogFormat format, int descriptor = 2);
  BackgroundLog(const BackgroundLog&) = delete;
  BackgroundLog& operator=(const BackgroundLog&) = delete;
  ~BackgroundLog();

  // The number of records that were dropped.
  std::uint64_t dropped() const;

 private:
  class Sink;

  std::shared_ptr<Sink> sink_;
  std::shared_ptr<spdlog::logger> before_;
};

// The formatter that set_up_logging() uses.
std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format);

}  // namespace inventory::ops
