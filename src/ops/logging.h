#pragma once

// Logging: sets up spdlog's default logger, which writes to standard error.
//
// Invariants:
//   1. One record is one line, whatever the message contains: input cannot forge a record, nor send
//      control sequences to a terminal (printable.h).
//   2. Every line is well-formed UTF-8; invalid bytes become U+FFFD.
//
// text, for people, in local time; level and message are coloured on a terminal only:
//   2026-11-23 03:00:00.123+01:00 info  connected to amqp://localhost:5672/
// json, for machines, in UTC (RFC 3339), members in this order:
//   {"time":"2026-11-23T02:00:00.123456Z","level":"info","message":"connected to ..."}
//
// Then come the fields (log/fields.h): in text as order_id=42 product_id=7 trace_id=..., in quotes
// if a value is not one plain word; in JSON as further members. The queue is a member in JSON; in
// text the message begins with it. order_id is a JSON string, product_id a number.
//
// Threads: any thread may log; it formats the record itself.

#include <cstdint>
#include <memory>

#include <spdlog/formatter.h>
#include <spdlog/logger.h>

namespace inventory::ops {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

// Makes spdlog's default logger write records of this level and above to standard error, and flush
// each at once. May be called again.
void set_up_logging(LogLevel level, LogFormat format);

// BackgroundLog: while it exists, a thread writes the records, so that logging never blocks
// (log_writer.h). As soon as there is room again, a record says how many were dropped. The
// destructor restores the logger of set_up_logging().
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
