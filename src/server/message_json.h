#pragma once

// What a message holds, as JSON.

#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace inventory::server {

// A string; of bytes that are no UTF-8, {"base64": "..."}.
boost::json::value bytes_json(std::string_view bytes);

// The entries of a header table (amqp/header_table.h) up to the first that is malformed, by their
// names made printable. What is nested too deeply is told by its size.
boost::json::object headers_json(std::string_view table);

}  // namespace inventory::server
