#include "store/sqlite/timestamp.h"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace inventory::store::sqlite {
namespace {

constexpr std::string_view kForm = "0000-00-00 00:00:00.000000";

// In the form, a zero stands for any digit, everything else for itself.
bool has_form(std::string_view text) {
  if (text.size() != kForm.size()) {
    return false;
  }
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == '0' ? !digit : text[i] != kForm[i]) {
      return false;
    }
  }
  return true;
}

int number(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

std::string to_text(domain::Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<domain::Timestamp> to_timestamp(std::string_view text) {
  if (!has_form(text)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(number(text.substr(0, 4))),
      std::chrono::month(static_cast<unsigned>(number(text.substr(5, 2)))),
      std::chrono::day(static_cast<unsigned>(number(text.substr(8, 2)))));
  if (!date.ok()) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(number(text.substr(11, 2))) +
         std::chrono::minutes(number(text.substr(14, 2))) +
         std::chrono::seconds(number(text.substr(17, 2))) +
         std::chrono::microseconds(number(text.substr(20, 6)));
}

}  // namespace inventory::store::sqlite
