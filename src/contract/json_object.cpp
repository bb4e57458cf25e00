#include "contract/json_object.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serializer.hpp>
#include <fmt/format.h>

namespace inventory::contract {
namespace {

namespace json = boost::json;

// Handles the parser's events and keeps the wanted members of the outermost object.
class MemberHandler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  MemberHandler(std::span<const std::string_view> wanted,
                const std::optional<JsonArrayWanted>& array)
      : wanted_(wanted), array_wanted_(array.value_or(JsonArrayWanted())), values_(wanted.size()) {}

  bool is_object() const { return is_object_; }
  std::vector<JsonValue> take_values() { return std::move(values_); }
  std::optional<JsonArray> take_array() {
    return has_array_ ? std::optional(std::move(array_)) : std::nullopt;
  }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    if (depth_ == 0) {
      is_object_ = true;
    } else if (is_between_elements()) {
      begin_element();
      ++depth_;
      return true;
    }
    return enter();
  }
  bool on_object_end(std::size_t, json::error_code&) { return leave(); }
  bool on_array_begin(json::error_code&) {
    const bool is_wanted = depth_ == 1 && target_ && wanted_[*target_] == array_wanted_.member;
    enter();
    if (is_wanted) {
      is_in_array_ = true;
      has_array_ = true;
      array_ = {};
    }
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) { return leave(); }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    if (depth_ == 1 || is_in_element()) {
      text_.append(part.data(), part.size());
    }
    return true;
  }
  bool on_key(json::string_view part, std::size_t size, json::error_code& error) {
    on_key_part(part, size, error);
    if (depth_ == 1) {
      target_ = place_of(text_, wanted_);
      text_.clear();
    } else if (is_in_element()) {
      element_target_ = place_of(text_, array_wanted_.of_elements);
      text_.clear();
    }
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    if (at_wanted_member()) {
      text_.append(part.data(), part.size());
    }
    return true;
  }
  bool on_string(json::string_view part, std::size_t size, json::error_code& error) {
    on_string_part(part, size, error);
    if (at_wanted_member()) {
      put(std::move(text_));
      text_.clear();
    } else if (is_between_elements()) {
      put(Other{});
    }
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    if (number < -kIntegerMax || number > kIntegerMax) {
      return put(Other{});
    }
    return put(number);
  }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return put(Other{}); }
  bool on_double(double, json::string_view, json::error_code&) { return put(Other{}); }
  bool on_bool(bool, json::error_code&) { return put(Other{}); }
  bool on_null(json::error_code&) { return put(Null{}); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  static std::optional<std::size_t> place_of(std::string_view name,
                                             std::span<const std::string_view> among) {
    const auto found = std::ranges::find(among, name);
    return found == among.end() ? std::nullopt
                                : std::optional(static_cast<std::size_t>(found - among.begin()));
  }

  bool is_between_elements() const { return is_in_array_ && depth_ == 2; }
  bool is_in_element() const { return is_in_array_ && depth_ == 3 && is_kept_; }
  bool at_wanted_member() const {
    return (depth_ == 1 && target_) || (is_in_element() && element_target_);
  }

  void begin_element() {
    ++array_.size;
    is_kept_ = array_.elements.size() < array_wanted_.elements_max;
    if (is_kept_) array_.elements.emplace_back(array_wanted_.of_elements.size());
    element_target_.reset();
  }

  bool put(JsonValue value) {
    if (depth_ == 1 && target_) {
      if (wanted_[*target_] == array_wanted_.member) has_array_ = false;  // given again
      values_[*target_] = std::move(value);
    } else if (is_between_elements()) {
      ++array_.size;
      array_.has_others = true;
      is_kept_ = false;  // if it is an array, ignore its contents
    } else if (is_in_element() && element_target_) {
      array_.elements.back()[*element_target_] = std::move(value);
    }
    return true;
  }

  bool enter() {
    put(Other{});
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    is_in_array_ = is_in_array_ && depth_ >= 2;
    return true;
  }

  std::span<const std::string_view> wanted_;
  const JsonArrayWanted array_wanted_;  // without a name if none is
  std::vector<JsonValue> values_;
  JsonArray array_;
  std::optional<std::size_t> target_;  // index of the wanted member that the next value belongs to
  std::string text_;                   // a key or a string, as far as it was read
  std::size_t depth_ = 0;
  std::optional<std::size_t> element_target_;  // the same, within an element
  bool is_object_ = false;
  bool has_array_ = false;
  bool is_in_array_ = false;  // the wanted one
  bool is_kept_ = false;      // the current element, an object
};

// The code of an escape \uXXXX at the beginning of the text; empty if there is none.
std::optional<unsigned> escaped_code(std::string_view text) {
  if (text.size() < 6 || !text.starts_with("\\u")) {
    return std::nullopt;
  }
  unsigned code = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, code, 16);
  if (error != std::errc() || end != text.data() + 6) {
    return std::nullopt;
  }
  return code;
}

// A copy of the same length with an escaped NUL in place of each lone half of a surrogate pair;
// empty if there is none. A backslash outside of a string is not JSON; the parser refuses it.
std::string without_lone_surrogates(std::string_view text) {
  constexpr std::string_view kNul = "\\u0000";
  const auto is_leading = [](unsigned code) { return code >= 0xD800 && code < 0xDC00; };
  const auto is_trailing = [](unsigned code) { return code >= 0xDC00 && code < 0xE000; };
  std::string copy;
  for (auto at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    const auto code = escaped_code(text.substr(at));
    if (!code) {
      at += 2;
      continue;
    }
    const auto next =
        is_leading(*code) ? escaped_code(text.substr(at + kNul.size())) : std::nullopt;
    if (next && is_trailing(*next)) {
      at += 2 * kNul.size();
      continue;
    }
    if (is_leading(*code) || is_trailing(*code)) {
      if (copy.empty()) copy = text;
      copy.replace(at, kNul.size(), kNul);
    }
    at += kNul.size();
  }
  return copy;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\r";  // RFC 8259, section 2
  const auto begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) {
    return text.substr(text.size());  // empty, but within `text`, for error offsets
  }
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

}  // namespace

std::expected<JsonObject, std::string> read_json_object(
    std::string_view body, std::span<const std::string_view> wanted,
    const std::optional<JsonArrayWanted>& array) {
  const std::string_view text = trim(body);
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<MemberHandler> parser(options, wanted, array);
  json::error_code error;
  const std::string mended = without_lone_surrogates(text);
  const std::string_view parsed = mended.empty() ? text : std::string_view(mended);
  const std::size_t read = parser.write_some(false, parsed.data(), parsed.size(), error);
  if (!error && read < text.size()) {
    error = json::error::extra_data;
  }
  if (error) {
    const auto offset = static_cast<std::size_t>(text.data() - body.data()) + read;
    return std::unexpected(
        fmt::format("body cannot be read as JSON: {} at byte {}", error.message(), offset));
  }
  if (!parser.handler().is_object()) {
    return std::unexpected("body is not a JSON object");
  }
  return JsonObject{text, parser.handler().take_values(), parser.handler().take_array(),
                    !mended.empty()};
}

std::string_view forbidden_character(const JsonObject& object) {
  return object.has_lone_surrogates
             ? "half of a surrogate pair, such as \\ud83d, or the character NUL"
             : "the character NUL";
}

void append_json_string(std::string& to, std::string_view text) {
  // RFC 8259, section 7. Most texts need no escapes, and setting up the serializer costs more than
  // writing them.
  const auto must_be_escaped = [](char character) {
    return static_cast<unsigned char>(character) < 0x20 || character == '"' || character == '\\';
  };
  if (std::ranges::none_of(text, must_be_escaped)) {
    to += '"';
    to += text;
    to += '"';
    return;
  }
  json::serializer serializer;
  serializer.reset(json::string_view(text.data(), text.size()));
  std::array<char, 512> buffer;
  while (!serializer.done()) {
    const auto part = serializer.read(buffer.data(), buffer.size());
    to.append(part.data(), part.size());
  }
}

}  // namespace inventory::contract
