#pragma once

// Fields: what a log record is about, beside its message, for those who search logs by it.
//
//   log::write(spdlog::level::warn, {.queue = "orders", .order_id = "42"}, "refused: {}", why);
//
// The formatter of the logger finds them with current_fields() (ops/logging.h); one that does not
// know of them writes the message alone.
//
// Threads: any. The logger must format on the thread that logs, as spdlog's own loggers do.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

namespace inventory::log {

// Empty ones are not there.
struct Fields {
  std::string queue;     // where the request came from
  std::string order_id;  // as a person would write it
  std::optional<std::int64_t> product_id = std::nullopt;
  std::string trace_id = {};  // 32 hexadecimal digits, of the request's traceparent
};

// Those of the record that this thread is writing; null if it has none.
inline const Fields*& current_fields() {
  static thread_local const Fields* fields = nullptr;
  return fields;
}

template <class... Args>
void write(spdlog::level::level_enum level, const Fields& fields,
           fmt::format_string<Args...> format, Args&&... args) {
  const Fields* const outer = std::exchange(current_fields(), &fields);
  spdlog::log(level, format, std::forward<Args>(args)...);
  current_fields() = outer;
}

}  // namespace inventory::log
