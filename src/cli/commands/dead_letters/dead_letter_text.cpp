#include "cli/commands/dead_letters/dead_letter_text.h"

#include <optional>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "contract/timestamp.h"
#include "server/message_json.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

namespace json = boost::json;
using terminal::printable;

constexpr std::size_t kReasonColumns = 14;
constexpr std::size_t kMessageColumns = 40;  // longer ones are not cut

json::object properties_object(const amqp::Properties& properties) {
  json::object object;
  const auto put_text = [&](const char* name, const std::optional<std::string>& text) {
    if (text) object[name] = server::bytes_json(*text);
  };
  const auto put_number = [&](const char* name, const auto& number) {
    if (number) object[name] = *number;
  };
  put_text("content_type", properties.content_type);
  put_text("content_encoding", properties.content_encoding);
  put_number("delivery_mode", properties.delivery_mode);
  put_number("priority", properties.priority);
  put_text("correlation_id", properties.correlation_id);
  put_text("reply_to", properties.reply_to);
  put_text("expiration", properties.expiration);
  put_text("message_id", properties.message_id);
  put_number("timestamp", properties.timestamp);
  put_text("type", properties.type);
  put_text("user_id", properties.user_id);
  put_text("app_id", properties.app_id);
  put_text("cluster_id", properties.cluster_id);
  return object;
}

json::object headers_object(const amqp::Properties& properties) {
  if (!properties.headers) return {};
  return server::headers_json(properties.headers->encoded());
}

json::value optional_text(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return server::bytes_json(*text);
}

std::string time_text(const std::optional<domain::Timestamp>& time) {
  if (!time) return "-";
  std::string text = contract::format_timestamp(*time).substr(0, 19);  // to the second
  text[10] = ' ';
  return text;
}

std::string id_of(const amqp::Properties& properties) {
  for (const auto* id : {&properties.message_id, &properties.correlation_id}) {
    if (*id && !(*id)->empty()) return printable(**id);
  }
  return "-";
}

// What went wrong with a letter, short enough for a line.
std::string message_of(const DeadLetter& letter) {
  if (letter.message || !letter.delivery.undecodable) return letter.message.value_or("-");
  return fmt::format("cannot be decoded: {}", *letter.delivery.undecodable);
}

void append_section(std::string& to, std::string_view title, const json::object& object) {
  if (object.empty()) return;
  to += fmt::format("{}:\n", title);
  for (const auto& [name, value] : object) {
    const std::string text = value.is_string() ? printable(value.get_string())
                                               : terminal::printable_json(json::serialize(value));
    to += fmt::format("  {}: {}\n", std::string_view(name), text);
  }
}

}  // namespace

std::string table_head(std::size_t columns) {
  return terminal::cut(
      fmt::format("{:>6}  {:<19}  {:<{}}  {:>9}  {:<{}}  {}", "#", "FAILED AT (UTC)", "REASON",
                  kReasonColumns, "BYTES", "MESSAGE", kMessageColumns, "ID"),
      columns);
}

std::string table_line(const DeadLetter& letter, std::size_t columns) {
  const auto reason = terminal::cut(printable(letter.reason.value_or("-")), kReasonColumns);
  return terminal::cut(
      fmt::format("{:>6}  {:<19}  {}  {:>9}  {}  {}", letter.position, time_text(letter.failed_at),
                  terminal::padded(reason, kReasonColumns), letter.delivery.body.size(),
                  terminal::padded(printable(message_of(letter)), kMessageColumns),
                  id_of(letter.delivery.properties)),
      columns);
}

std::string full_text(const DeadLetter& letter) {
  std::string text = fmt::format("{}, message {}\n", printable(letter.queue), letter.position);
  text += fmt::format("failed at: {}\nreason: {}\nmessage: {}\n", time_text(letter.failed_at),
                      printable(letter.reason.value_or("-")), printable(message_of(letter)));
  if (const auto& why = letter.delivery.undecodable) {
    text += fmt::format("cannot be decoded: {}; what was understood:\n", printable(*why));
  }
  append_section(text, "properties", properties_object(letter.delivery.properties));
  append_section(text, "headers", headers_object(letter.delivery.properties));
  const std::string body = printable(letter.delivery.body, true);
  text += fmt::format("body, {} bytes:\n{}", letter.delivery.body.size(), body);
  if (!body.ends_with('\n')) text += '\n';
  return text;
}

std::string json_line(const DeadLetter& letter) {
  json::object object;
  object["queue"] = server::bytes_json(letter.queue);
  object["position"] = letter.position;
  object["failed_at"] = nullptr;
  if (letter.failed_at) object["failed_at"] = contract::format_timestamp(*letter.failed_at);
  object["reason"] = optional_text(letter.reason);
  object["message"] = optional_text(letter.message);
  object["original_queue"] = optional_text(letter.original_queue);
  object["redelivered"] = letter.delivery.redelivered;
  object["undecodable"] = optional_text(letter.delivery.undecodable);
  object["properties"] = properties_object(letter.delivery.properties);
  object["headers"] = headers_object(letter.delivery.properties);
  object["bytes"] = letter.delivery.body.size();
  object["body"] = server::bytes_json(letter.delivery.body);
  return terminal::printable_json(json::serialize(object));
}

}  // namespace inventory::cli
