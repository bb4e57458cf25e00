#pragma once

// message_json: the content of a message as JSON.

#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace inventory::server {

// A string; {"base64": "..."} if the bytes are not valid UTF-8.
boost::json::value bytes_json(std::string_view bytes);

// The entries of a header table (amqp/header_table.h) up to the first malformed one, by their
// names, made printable. For a value that is nested too deeply, only its size.
boost::json::object headers_json(std::string_view table);

}  // namespace inventory::server
