#pragma once

// SimulatedBroker: a RabbitMQ of one node, as its clients see it.
//
// It models: durable queues; pushed deliveries up to the prefetch of each consumer; requests that
// return to their place when a consumer is lost; one connection that consumes and others that
// publish, each of which the broker and the client may lose at different moments; in each
// connection the order of messages, with delays; confirms out of order, alone or with `multiple`,
// late, negative or never; returns; a memory alarm; a restart, which persistent messages survive,
// and clients' queues do not.
//
// Also bad clients: silent queues, and the connection that the broker no longer reads once one of
// them has too many unanswered messages from it (credit flow); queues that reject; addresses on
// which the broker closes the connection.
//
// Also the events exchange, with one queue bound to it that receives all events. The exchange may
// be deleted or forbidden, and the queue may be silent or reject like any other.

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

// Wire: a connection. Each direction keeps its order.
struct Wire {
  Time to_broker{0};
  Time to_client{0};
  bool broker_has_it = true;
  bool client_has_it = true;
};

struct Enqueued {
  std::uint64_t place;  // in the queue; never changes
  bool redelivered = false;
  const Request* request;
};

// Address: what one flow of a process knows about one reply queue.
struct Address {
  std::optional<Time> rejecting_since;  // since it last took a message
  Time rejected_for{0};                 // the longest time
  int closed = 0;                       // connections closed because of it
};
using Addresses = std::map<std::string, Address>;

// LinkState: both ends of a link's consuming connection, and what the link's outlets have settled.
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
  std::set<const Request*> settled_replies;  // as the broker has answered
  std::set<const Request*> settled_dead_letters;
  std::shared_ptr<Addresses> addresses;
};
using LinkPointer = std::shared_ptr<LinkState>;

// OutletState: both ends of a connection over which a link publishes. It exists as long as anything
// on the connection is under way.
struct OutletState {
  OutletState(boost::asio::io_context& context, LinkPointer of, service::OutletEvents tells,
              std::uint64_t number);

  const LinkPointer link;
  Wire wire;

  // Whether the broker's answers still reach a process.
  bool is_heard() const { return wire.client_has_it && link->life->is_alive; }

  // At the broker.
  struct Unconfirmed {
    std::uint64_t tag;
    const Request* request;
    std::string queue;
    std::optional<std::string> event;  // its id
    bool is_dead_letter;
    bool must_arrive;  // its queue is one that the service declares
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
  std::size_t in_socket = 0;  // written, not yet read by the broker
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

  // The events exchange.
  amqp::Result<void> declare_exchange();

  // Adds a client's request to its queue. From now on it must be answered.
  void enqueue(const Request& request);

  // A service's link.
  bool is_up() const { return is_up_; }
  std::uint64_t starts() const { return starts_; }  // connections do not survive a restart
  void consume(const LinkPointer& link);
  void attach(const OutletPointer& outlet) { outlets_.push_back(outlet); }
  void send_publish(const OutletPointer& outlet, std::uint64_t tag, const amqp::Message& message);
  void send_acknowledge(const LinkPointer& link, std::uint64_t tag, bool multiple);
  // One end is gone; the other notices later.
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

  // Bad clients, each until it ends; end_bad_things() ends all.
  void silence(const std::string& queue) { silent_[queue]; }
  void answer(const std::string& queue);
  void fill(const std::string& queue, Time until) { full_until_[queue] = until; }
  void harm(const std::string& address) { harmful_.insert(address); }
  void stop_harming(const std::string& address) { harmful_.erase(address); }
  // delete_exchange(): the exchange is deleted as often as it is declared. refuse_exchange():
  // publishing to it is forbidden, perhaps declaring it too.
  void delete_exchange(Time until);
  void refuse_exchange(Time until, bool is_declaration_refused);
  void end_bad_events();
  void end_bad_things();

  // Whether all requests are acknowledged, except those that may wait.
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
  std::vector<LinkPointer> links_;      // whose consuming connection is open at the broker
  std::vector<OutletPointer> outlets_;  // open at the broker
  std::map<std::string, Time> full_until_;
  std::map<std::string, std::vector<Held>> silent_;
  std::set<std::string> harmful_;
  bool has_exchange_ = false;
  Time exchange_gone_until_{0};
  Time exchange_refused_until_{0};
  bool is_declaration_refused_ = false;
  std::size_t unanswered_max_;  // for one silent queue; beyond it the connection is not read
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
