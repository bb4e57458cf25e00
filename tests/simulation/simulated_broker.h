#pragma once

// SimulatedBroker: a RabbitMQ of one node, as its clients see it.
//
// What is modelled: durable queues; pushed deliveries up to the prefetch of each consumer; requests
// that go back to their place when a consumer is lost; a connection that consumes and others that
// publish, each of which the broker and the client may lose at different moments; everything on a
// connection in order, late; confirms out of order, alone or with `multiple`, late, negative or
// never; returns; a memory alarm; a restart. Persistent messages survive it, clients' queues do
// not.
//
// And one client's bad doing: queues that are silent, and then a connection that is not read any
// more once it has so many messages without an answer for one of them (credit flow); queues that
// reject; addresses on which the broker closes the connection.
//
// And the exchange of events, to which one queue is bound that wants them all. It may be gone, or
// not allowed, and that queue may be silent or reject, as any other.

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

inline constexpr std::string_view kListener = "a listener's queue";  // bound to the exchange

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

// Address: what a flow of one process has seen of one reply queue.
struct Address {
  std::optional<Time> rejecting_since;  // since it last took something
  Time rejected_for{0};                 // at most
  int closed = 0;                       // connections, because of it
};
using Addresses = std::map<std::string, Address>;

// LinkState: both ends of a link's consuming connection, and what the link's outlets have achieved.
struct LinkState {
  LinkState(boost::asio::io_context& context, LifePointer of, std::string from, std::size_t limit,
            std::shared_ptr<Addresses> known);

  const LifePointer life;
  const std::string queue;
  const std::size_t prefetch;
  Wire wire;

  // At the broker.
  struct Unacknowledged {
    std::uint64_t tag;
    Enqueued message;
  };
  std::uint64_t last_tag = 0;
  std::deque<Unacknowledged> unacknowledged;

  // At the client.
  struct InHand {
    std::uint64_t tag;
    const Request* request;
    Time since;
  };
  std::deque<amqp::Delivery> inbox;
  std::deque<InHand> in_hand;  // received and not acknowledged
  amqp::Fault fault = amqp::Fault::link_lost;
  bool is_stopped = false;
  Signal arrived;
  std::set<const Request*> settled_replies;  // as the broker has really answered
  std::set<const Request*> settled_dead_letters;
  std::shared_ptr<Addresses> addresses;
};
using LinkPointer = std::shared_ptr<LinkState>;

// OutletState: both ends of a connection over which a link publishes, for as long as anything of it
// is under way.
struct OutletState {
  OutletState(boost::asio::io_context& context, LinkPointer of, service::OutletEvents tells,
              std::uint64_t number);

  const LinkPointer link;
  Wire wire;

  // Whether what the broker says still reaches a process.
  bool is_heard() const { return wire.client_has_it && link->life->is_alive; }

  // At the broker.
  struct Unconfirmed {
    std::uint64_t tag;
    const Request* request;
    std::string queue;
    std::optional<std::string> event;  // its id
    bool is_dead_letter;
    bool must_arrive;  // in a queue that the service declares
    bool is_positive;
    bool is_withheld;  // the broker does not answer
  };
  std::vector<Unconfirmed> unconfirmed;
  std::deque<std::pair<std::uint64_t, amqp::Message>> unread;
  std::map<std::string, std::size_t> unanswered;  // by silent queue
  bool is_blocked = false;                        // by a memory alarm

  // At the client.
  service::OutletEvents events;
  amqp::Confirms confirms;
  std::uint64_t last_publish_tag = 0;
  std::size_t in_socket = 0;  // written, and not read by the broker
  std::optional<std::string> blocked;
  bool is_sending_stopped = false;
  amqp::Error lost_as{amqp::Fault::link_lost, "the publishing connection is lost"};
  Signal progress;
};
using OutletPointer = std::shared_ptr<OutletState>;

class SimulatedBroker {
 public:
  explicit SimulatedBroker(Environment& environment);

  // Queues.
  void declare(const std::string& queue) { queues_[queue]; }
  void remove(const std::string& queue) { queues_.erase(queue); }
  bool has(const std::string& queue) const { return queues_.contains(queue); }

  // The exchange of events.
  amqp::Result<void> declare_exchange();

  // A client's message: from now on it must be answered.
  void enqueue(const Request& request);

  // A service's link.
  bool is_up() const { return is_up_; }
  std::uint64_t starts() const { return starts_; }  // connections do not survive another
  void consume(const LinkPointer& link);
  void attach(const OutletPointer& outlet) { outlets_.push_back(outlet); }
  void send_publish(const OutletPointer& outlet, std::uint64_t tag, const amqp::Message& message);
  void send_acknowledge(const LinkPointer& link, std::uint64_t tag, bool multiple);
  // One end is gone; the other learns it later.
  void drop_at_client(const LinkPointer& link);
  void drop_at_client(const OutletPointer& outlet);
  void close_at_broker(const LinkPointer& link);
  void close_at_broker(const OutletPointer& outlet);

  // Faults.
  void lose_consuming(amqp::Fault fault);  // of one link, by chance
  void lose_publishing();
  void go_down(Time how_long);
  void raise_alarm(Time how_long);
  void forget(const LifePointer& life);  // a process was killed

  // One client's doing, until it ends; and the end of it all.
  void silence(const std::string& queue) { silent_[queue]; }
  void answer(const std::string& queue);
  void fill(const std::string& queue, Time until) { full_until_[queue] = until; }
  void harm(const std::string& address) { harmful_.insert(address); }
  void stop_harming(const std::string& address) { harmful_.erase(address); }
  // The exchange is deleted, as often as it is declared; it may not be used, perhaps not declared.
  void delete_exchange(Time until);
  void refuse_exchange(Time until, bool is_declaration_refused);
  void end_bad_events();
  void end_bad_things();

  // Whether all requests are acknowledged, or all but those that may wait.
  template <class MayWait>
  bool is_drained(MayWait may_wait) const;
  bool is_drained() const {
    return is_drained([](const Request&) { return false; });
  }
  std::string describe() const;
  void clear();

 private:
  struct Queue {
    std::map<std::uint64_t, Enqueued> ready;
    std::vector<LinkPointer> consumers;
  };
  struct Held {  // by a silent queue
    OutletPointer outlet;
    std::uint64_t tag;
    amqp::Message message;
  };

  template <class Pointer>
  void lose(const Pointer& connection);
  void deliver(Queue& queue);
  bool is_read(const OutletState& outlet) const;
  void read_on(const OutletPointer& outlet);
  void handle_publish(const OutletPointer& outlet, std::uint64_t tag, const amqp::Message& message);
  void close_for(const OutletPointer& outlet, amqp::Error error,
                 std::optional<std::string> address = std::nullopt);
  std::optional<amqp::Error> error_of_exchange() const;
  void block(const OutletPointer& outlet, const std::optional<std::string>& reason);
  void enqueue_reply(const OutletPointer& outlet, OutletState::Unconfirmed& answer,
                     const amqp::Message& message);
  bool route(const amqp::Message& message);
  void send_a_confirm(const OutletPointer& outlet);
  void handle_confirm(const OutletPointer& outlet, std::uint64_t tag, bool multiple,
                      bool is_positive, const std::vector<OutletState::Unconfirmed>& covered);
  Time latency_to_notice();

  Environment& environment_;
  std::map<std::string, Queue> queues_;
  std::vector<LinkPointer> links_;      // with a consuming connection at the broker
  std::vector<OutletPointer> outlets_;  // at the broker
  std::map<std::string, Time> full_until_;
  std::map<std::string, std::vector<Held>> silent_;
  std::set<std::string> harmful_;
  bool has_exchange_ = false;
  Time exchange_gone_until_{0};
  Time exchange_refused_until_{0};
  bool is_declaration_refused_ = false;
  std::size_t unanswered_max_;  // of one silent queue, then a connection is not read
  std::uint64_t last_place_ = 0;
  std::uint64_t starts_ = 1;
  bool is_up_ = true;
  bool has_alarm_ = false;
};

template <class MayWait>
bool SimulatedBroker::is_drained(MayWait may_wait) const {
  for (const service::KindRow& kind : service::kinds()) {
    const Queue& queue = queues_.at(std::string(kind.queue));
    for (const auto& [place, message] : queue.ready) {
      if (!may_wait(*message.request)) return false;
    }
    for (const LinkPointer& link : queue.consumers) {
      for (const auto& [tag, message] : link->unacknowledged) {
        if (!may_wait(*message.request)) return false;
      }
    }
  }
  return true;
}

}  // namespace inventory::simulation
