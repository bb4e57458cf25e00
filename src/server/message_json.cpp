#include "server/message_json.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "amqp/header_table.h"
#include "amqp/wire.h"
#include "terminal/printable.h"
#include "terminal/utf8.h"

namespace inventory::server {
namespace {

namespace json = boost::json;

constexpr int kDepthMax = 8;  // of nested headers that are shown

std::string to_base64(std::string_view bytes) {
  std::string text(((bytes.size() + 2) / 3 * 4) + 1, '\0');  // with room for the NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// JSON has neither infinities nor NaN.
json::value number_json(double number) {
  if (std::isfinite(number)) return number;
  return json::string(fmt::to_string(number));
}

json::value header_value(const amqp::HeaderValue& header, int depth);

json::object header_object(std::string_view table, int depth) {
  json::object object;
  for (const auto& entry : amqp::table_entries(table)) {
    object[terminal::printable(entry.name)] = header_value(entry, depth);
  }
  return object;
}

json::value header_value(const amqp::HeaderValue& header, int depth) {
  const char* const bytes = header.bytes.data();
  if (header.type == 't') return header.bytes.front() != 0;
  if (const auto integer = amqp::to_integer(header)) return *integer;
  switch (header.type) {
    case 'V':
      return nullptr;
    case 'S':
      return bytes_json(header.bytes);
    case 'f':
      return number_json(std::bit_cast<float>(amqp::read_integer<std::uint32_t>(bytes)));
    case 'd':
      return number_json(std::bit_cast<double>(amqp::read_integer<std::uint64_t>(bytes)));
    case 'A':
    case 'F':
      break;
    default:
      return json::object{{"base64", to_base64(header.bytes)}};
  }
  if (depth == kDepthMax) return json::string(fmt::format("{} bytes", header.bytes.size()));
  if (header.type == 'F') return header_object(header.bytes, depth + 1);
  json::array array;
  for (const auto& item : amqp::array_items(header.bytes)) {
    array.push_back(header_value(item, depth + 1));
  }
  return array;
}

}  // namespace

json::value bytes_json(std::string_view bytes) {
  if (terminal::is_utf8(bytes)) return json::string(bytes);
  return json::object{{"base64", to_base64(bytes)}};
}

json::object headers_json(std::string_view table) { return header_object(table, 0); }

}  // namespace inventory::server
