#include "contract/timestamp.h"

#include <array>
#include <chrono>
#include <cstddef>

#include <fmt/format.h>

namespace inventory::contract {

std::string format_timestamp(domain::Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
                     static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<domain::Timestamp> parse_timestamp(std::string_view text) {
  static constexpr std::string_view kForm = "0000-00-00T00:00:00.000000+00:00";
  if (text.size() != kForm.size()) return std::nullopt;
  std::array<int, 7> numbers{};  // year to microseconds
  std::size_t number = 0;
  for (std::size_t i = 0; i < kForm.size() - std::string_view("+00:00").size(); ++i) {
    if (kForm[i] != '0') {
      ++number;
    } else if (text[i] >= '0' && text[i] <= '9') {
      numbers[number] = (numbers[number] * 10) + (text[i] - '0');
    }
  }
  const auto [year, month, day, hour, minute, second, microsecond] = numbers;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const domain::Timestamp time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                                 std::chrono::minutes(minute) + std::chrono::seconds(second) +
                                 std::chrono::microseconds(microsecond);
  if (format_timestamp(time) != text) return std::nullopt;
  return time;
}

}  // namespace inventory::contract
