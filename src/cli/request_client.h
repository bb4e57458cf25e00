#pragma once

// request_client: one request and its reply, as a client of the service has them.

#include <chrono>
#include <expected>
#include <string>

#include "config/configuration.h"

namespace inventory::cli {

struct ClientRequest {
  std::string queue;
  std::string body;
  std::string id;  // message_id and correlation_id
};

// Publishes the request and waits for its reply on a queue of its own: one try, at the first host
// that answers. Returns the reply's body, or why there is none.
std::expected<std::string, std::string> ask(const config::Configuration& configuration,
                                            ClientRequest request,
                                            std::chrono::milliseconds timeout);

}  // namespace inventory::cli
