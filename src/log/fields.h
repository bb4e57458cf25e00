#pragma once

// Fields: what a log record is about, apart from its message, for searches.
//
//   log::write(spdlog::level::warn, {.queue = "orders", .order_id = "42"}, "refused: {}", why);
//
// The logger's formatter gets them from current_fields() (ops/logging.h); another formatter writes
// only the message.
//
// Threads: any. The logger must format on the thread that logs, as spdlog's own loggers do.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

namespace inventory::log {

// Empty fields are left out.
struct Fields {
  std::string queue;     // where the request came from
  std::string order_id;  // as a person would write it
  std::optional<std::int64_t> product_id = std::nullopt;
  std::string trace_id = {};  // 32 hexadecimal digits, of the request's traceparent
};

// The fields of the record that this thread is writing; null if it has none.
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
