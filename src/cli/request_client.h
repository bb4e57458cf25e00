#pragma once

// RequestClient: requests to the service and their replies, as any client has them.
//
// Owns:     a connection to the first host that answers, a reply queue of its own on it.
// Threads:  one object on one executor.
// Suspends: open(), send(), receive(), close(). After an error of one it is of no use.
// Errors:   a line for the person at the command line.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "cli/arguments.h"
#include "config/configuration.h"

namespace inventory::cli {

struct ClientRequest {
  std::string queue;
  std::string body;
  std::string id;  // message_id and correlation_id
};

class RequestClient {
 public:
  template <class T>
  using Task = amqp::Task<std::expected<T, std::string>>;

  // name: of the connection, for the broker's management. window: replies that it hands out before
  // they were received.
  static Task<std::unique_ptr<RequestClient>> open(const config::Configuration& configuration,
                                                   std::string name, std::uint16_t window);

  // Publishes them and waits until their queues have taken all of them, at most so long.
  Task<void> send(std::vector<ClientRequest> requests, std::chrono::seconds timeout);

  // What came to the reply queue, at least one message: a reply bears its request's id as its
  // correlation_id, and may come twice.
  Task<std::vector<amqp::Delivery>> receive(std::chrono::seconds timeout);

  amqp::Task<void> close();

 private:
  std::shared_ptr<amqp::Connection> connection_;
  std::string reply_queue_;
  std::unique_ptr<amqp::Consumer> consumer_;
  std::unique_ptr<amqp::Publisher> publisher_;
  std::uint16_t window_ = 0;
};

// Sends one request, prints its reply's JSON to standard output, or says on standard error why
// there is none. Returns the exit status: kExitDone accepted, kExitNo rejected, kExitFailed no
// reply within `timeout`, connecting included.
int ask(const config::Configuration& configuration, ClientRequest request,
        std::chrono::seconds timeout);

// A request with a new id, which is another one each time; and one whose id is made of its body:
// the same command is the same message.
ClientRequest new_request(std::string queue, std::string body);
ClientRequest same_request(std::string queue, std::string body);

// Whether a reply says so.
bool is_success(std::string_view reply);

// The option --timeout of commands that wait for replies. of_what: what ends it, "the reply".
Option timeout_option(std::string_view of_what);
std::expected<std::chrono::seconds, std::string> read_timeout(const Arguments& given);

}  // namespace inventory::cli
