#pragma once

// Endpoint: where a broker is and how to get in, read from an AMQP URL.
//
// amqp[s]://user:password@host1[:port][,host2[:port]...][/vhost][?heartbeat=SECONDS]
// as https://www.rabbitmq.com/uri-spec.html has it, with a list of hosts: no path means the vhost
// "/", an empty one ("amqp://host/") too (where amqp_parse_url makes an empty vhost of it).

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
