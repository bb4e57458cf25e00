#include "server/recent_letters.h"

#include <array>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "contract/headers.h"
#include "server/message_json.h"
#include "terminal/shell_word.h"
#include "terminal/utf8.h"

namespace inventory::server {
namespace {

namespace headers = contract::headers;
namespace json = boost::json;

std::string legible(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = terminal::utf8_character_size(bytes);
    if (size > 0) {
      text += bytes.substr(0, size);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
    }
    bytes.remove_prefix(size > 0 ? size : 1);
  }
  return text;
}

json::value legible_or_null(const std::optional<std::string>& bytes) {
  if (!bytes) return nullptr;
  return json::string(legible(*bytes));
}

// The first bytes of a text, without a partial character at the end.
std::string_view beginning_of(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const std::size_t end = bytes_max;
  for (std::size_t back = 1; back <= 3 && back <= end; ++back) {
    const std::size_t size = terminal::utf8_character_size(text.substr(end - back));
    if (size > back) return text.substr(0, end - back);
    if (size > 0) break;
  }
  return text.substr(0, end);
}

}  // namespace

void RecentLetters::add(std::string_view queue, const amqp::Message& letter) {
  const amqp::Properties& properties = letter.properties;
  Letter kept{.request_queue = std::string(queue),
              .queue = letter.routing_key,
              .message_id = properties.message_id,
              .correlation_id = properties.correlation_id,
              .body = std::string(beginning_of(letter.body, kShownBytesMax)),
              .body_bytes = letter.body.size()};
  if (properties.headers) {
    const amqp::HeaderTable& table = *properties.headers;
    const auto find = [&](std::string_view name) {
      return std::string(table.find_string(name).value_or(""));
    };
    kept.at = find(headers::kFailedAt);
    kept.reason = find(headers::kErrorReason);
    kept.message = find(headers::kErrorMessage);
    kept.headers = table.encoded().substr(0, kShownBytesMax);
    kept.is_whole = table.find_entry(headers::kBodyDropped).empty() &&
                    table.find_entry(headers::kHeadersDropped).empty();
  }
  letters_.push_front(std::move(kept));
  if (letters_.size() > kLettersMax) letters_.pop_back();
}

std::string RecentLetters::as_json() const {
  std::string array = "[";
  for (const Letter& letter : letters_) {
    const std::string object = json_of(letter);
    if (array.size() + object.size() + 2 > kPageBytesMax) break;
    if (array.size() > 1) array += ',';
    array += object;
  }
  return array += ']';
}

std::string RecentLetters::json_of(const Letter& letter) {
  json::object object;
  object["queue"] = legible(letter.queue);
  object["at"] = legible(letter.at);
  object["reason"] = legible(letter.reason);
  object["message"] = legible(letter.message);
  object["message_id"] = legible_or_null(letter.message_id);
  object["correlation_id"] = legible_or_null(letter.correlation_id);
  object["body"] = legible(letter.body);
  object["body_bytes"] = letter.body_bytes;
  object["headers"] = headers_json(letter.headers);
  object["replay"] = nullptr;
  if (letter.is_whole) {
    object["replay"] = legible_or_null(
        replay_command(letter.request_queue, letter.message_id, letter.correlation_id, letter.at));
  }
  return json::serialize(object);
}

std::optional<std::string> replay_command(std::string_view request_queue,
                                          const std::optional<std::string>& message_id,
                                          const std::optional<std::string>& correlation_id,
                                          std::string_view failed_at) {
  const auto queue = terminal::shell_word(request_queue);
  if (!queue) return std::nullopt;
  const auto command = [&](std::string_view filter, const std::string& word) {
    return fmt::format("inventory-service dead-letters replay --queue={} --{}={}", *queue, filter,
                       word);
  };
  for (const auto* id : {&message_id, &correlation_id}) {
    if (!*id || (*id)->empty()) continue;
    if (const auto word = terminal::shell_word(**id)) return command("id", *word);
  }
  const auto time = terminal::shell_word(failed_at);
  if (failed_at.empty() || !time) return std::nullopt;
  return command("failed-at", *time);
}

}  // namespace inventory::server
