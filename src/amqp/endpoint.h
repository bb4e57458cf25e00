#pragma once

// Endpoint: the address of a broker and the credentials for it, from an AMQP URL.
//
// amqp[s]://user:password@host1[:port][,host2[:port]...][/vhost][?heartbeat=SECONDS]
// as in https://www.rabbitmq.com/uri-spec.html, but with a list of hosts: no path means the vhost
// "/", and so does an empty one ("amqp://host/"), which amqp_parse_url reads as an empty vhost.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace amqp {

struct Host {
  std::string name;  // a DNS name or an address; IPv6 without brackets
  std::uint16_t port;

  friend bool operator==(const Host&, const Host&) = default;
};

struct Endpoint {
  std::vector<Host> hosts;  // at least one
  bool tls = false;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  std::chrono::seconds heartbeat{30};  // 0: none

  // The URL without user and password, for logs: amqp://host1:5672,host2:5672/vhost
  std::string display() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Reads an AMQP URL. The error is one sentence that says what is wrong without the credentials.
std::expected<Endpoint, std::string> parse_url(std::string_view url);

}  // namespace amqp
