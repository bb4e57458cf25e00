#pragma once

// RequestClient: sends requests to the service and receives the replies, as any client does.
//
// Owns:     a connection to the first host that answers, with a reply queue.
// Threads:  one executor.
// Suspends: open(), send(), receive(), close(). After an error the object is of no use.
// Errors:   a line for the user.

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

  // name: of the connection, for the broker's management. window: the prefetch of the reply queue.
  static Task<std::unique_ptr<RequestClient>> open(const config::Configuration& configuration,
                                                   std::string name, std::uint16_t window);

  // Publishes the requests and waits until their queues have taken all, at most `timeout`.
  Task<void> send(std::vector<ClientRequest> requests, std::chrono::seconds timeout);

  // Waits for at least one message in the reply queue. A reply has its request's id as its
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

// Sends one request and prints its reply's JSON to standard output, or to standard error why there
// is none. Returns the exit status: kExitDone if accepted, kExitNo if rejected, kExitFailed if
// there is no reply within `timeout`, which includes connecting.
int ask(const config::Configuration& configuration, ClientRequest request,
        std::chrono::seconds timeout);

// new_request() has a new id each time. The id of same_request() is made from the body, so that a
// repeated command sends the same request.
ClientRequest new_request(std::string queue, std::string body);
ClientRequest same_request(std::string queue, std::string body);

// Whether a reply says "success": true.
bool is_success(std::string_view reply);

// The option --timeout of commands that wait for replies. of_what: what they wait for, "the reply".
Option timeout_option(std::string_view of_what);
std::expected<std::chrono::seconds, std::string> read_timeout(const Arguments& given);

}  // namespace inventory::cli
