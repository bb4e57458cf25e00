#pragma once

// SimulatedBroker: a RabbitMQ of one node, as its clients see it.
//
// What is modelled: durable queues; pushed deliveries up to the prefetch of each consumer; requests
// that go back to their place when a consumer is lost; two connections a link, each of which the
// broker and the client may lose at different moments; everything on a connection in order, late;
// confirms out of order, alone or with `multiple`, late, negative or never; returns; a memory
// alarm; a restart. Persistent messages survive it, clients' queues do not.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "amqp/confirms.h"
#include "environment.h"
#include "service/broker.h"

namespace inventory::simulation {

// One direction of a connection keeps its order.
struct Wire {
  Time to_broker{0};
  Time to_client{0};
  bool broker_has_it = true;
  bool client_has_it = true;
};

struct Enqueued {
  std::uint64_t place;  // in the queue, for ever
  bool redelivered = false;
  const Request* request;
};

// LinkState: both ends of a link, for as long as anything of it is under way.
struct LinkState {
  LinkState(boost::asio::io_context& context, LifePointer of, std::string from, std::size_t limit);

  const LifePointer life;
  const std::string queue;
  const std::size_t prefetch;
  Wire consuming;
  Wire publishing;

  // At the broker.
  struct Unacknowledged {
    std::uint64_t tag;
    Enqueued message;
  };
  struct Unconfirmed {
    std::uint64_t tag;
    const Request* request;
    bool is_dead_letter;
    bool must_arrive;  // in a queue that the service declares
    bool is_positive;
    bool is_withheld;  // the broker never answers
  };
  std::uint64_t last_tag = 0;
  std::deque<Unacknowledged> unacknowledged;
  std::vector<Unconfirmed> unconfirmed;

  // At the client.
  struct InHand {
    std::uint64_t tag;
    const Request* request;
  };
  std::deque<amqp::Delivery> inbox;
  std::deque<InHand> in_hand;  // received and not acknowledged
  amqp::Confirms confirms;
  std::uint64_t last_publish_tag = 0;
  amqp::Fault consuming_fault = amqp::Fault::link_lost;
  bool is_stopped = false;
  Time last_progress{0};
  Signal arrived;
  Signal progress;
  std::set<const Request*> settled_replies;  // as the broker has really answered
  std::set<const Request*> settled_dead_letters;
  std::map<const Request*, int> rejections;  // of its reply, by a client's own queue
};
using LinkPointer = std::shared_ptr<LinkState>;

class SimulatedBroker {
 public:
  explicit SimulatedBroker(Environment& environment) : environment_(environment) {}

  // Queues.
  void declare(const std::string& queue) { queues_[queue]; }
  void remove(const std::string& queue) { queues_.erase(queue); }
  bool has(const std::string& queue) const { return queues_.contains(queue); }

  // A client's message: from now on it must be answered.
  void enqueue(const Request& request);

  // A service's link.
  bool is_up() const { return is_up_; }
  std::uint64_t starts() const { return starts_; }  // connections do not survive another
  bool has_alarm() const { return has_alarm_; }
  void consume(const LinkPointer& link);
  void send_publish(const LinkPointer& link, std::uint64_t tag, const amqp::Message& message);
  void send_acknowledge(const LinkPointer& link, std::uint64_t tag);
  // One end is gone; the other learns it later. For both wires of a link if it closes or crashes.
  void drop_at_client(const LinkPointer& link, Wire& wire);
  void close_at_broker(const LinkPointer& link, Wire& wire);

  // Faults.
  void lose_consuming(amqp::Fault fault);  // of one link, by chance
  void lose_publishing();
  void go_down(Time how_long);
  void raise_alarm(Time how_long);
  void forget(const LifePointer& life);  // a process was killed

  // Whether all requests are acknowledged.
  bool is_drained() const;
  std::string describe() const;
  void clear();

 private:
  struct Queue {
    std::map<std::uint64_t, Enqueued> ready;
    std::vector<LinkPointer> consumers;
  };

  void lose(const LinkPointer& link, Wire& wire);
  void deliver(Queue& queue);
  void handle_publish(const LinkPointer& link, std::uint64_t tag, const amqp::Message& message);
  bool route(const amqp::Message& message);
  void send_a_confirm(const LinkPointer& link);
  void handle_confirm(const LinkPointer& link, std::uint64_t tag, bool multiple, bool is_positive,
                      const std::vector<LinkState::Unconfirmed>& covered);
  LinkPointer pick_link();

  Environment& environment_;
  std::map<std::string, Queue> queues_;
  std::vector<LinkPointer> links_;          // with a wire at the broker
  std::map<std::string, Time> full_until_;  // queues that reject what is published
  std::uint64_t last_place_ = 0;
  std::uint64_t starts_ = 1;
  bool is_up_ = true;
  bool has_alarm_ = false;
};

}  // namespace inventory::simulation
