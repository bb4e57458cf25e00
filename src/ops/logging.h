#pragma once

// Logging: how spdlog's default logger writes, to standard error.
//
// Invariants:
//   1. One record is one line, whatever the message holds: what others send cannot forge a record.
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
// Threads: any thread may log.

#include <cstdint>
#include <memory>

#include <spdlog/formatter.h>

namespace inventory::ops {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

// Makes spdlog's default logger write records of this level and above to standard error, each
// flushed at once. May be called again.
void set_up_logging(LogLevel level, LogFormat format);

// The formatter that set_up_logging() uses.
std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format);

}  // namespace inventory::ops
