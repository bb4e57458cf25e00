#include "simulated_broker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/answer.h"

namespace inventory::simulation {
namespace {

Time in_order(Time& last, Time arrival) {
  last = std::max(last, arrival);
  return last;
}

}  // namespace

LinkState::LinkState(boost::asio::io_context& context, LifePointer of, std::string from,
                     std::size_t limit, std::shared_ptr<Addresses> known)
    : life(std::move(of)),
      queue(std::move(from)),
      prefetch(limit),
      arrived(context, life),
      addresses(std::move(known)) {}

OutletState::OutletState(boost::asio::io_context& context, LinkPointer of,
                         service::OutletEvents tells, std::uint64_t number)
    : link(std::move(of)),
      events(std::move(tells)),
      confirms([this](std::uint64_t token, amqp::Settlement settlement) {
        if (events.on_settled) events.on_settled(token, settlement);
      }),
      progress(context, link->life) {
  confirms.set_message_id_prefix(fmt::format("outlet-{}-", number));
}

// In RabbitMQ a quorum queue may owe 32 answers to a connection, by default.
SimulatedBroker::SimulatedBroker(Environment& environment)
    : environment_(environment),
      unanswered_max_(std::array{4U, 32U, 32U, 32U}[environment.random.below(4)]) {}

void SimulatedBroker::enqueue(const Request& request) {
  Queue& queue = queues_.at(std::string(row_of(request.kind).queue));
  environment_.trace("broker: request {} enqueued: {}", request.number, request.body);
  ++last_place_;
  queue.ready.emplace(last_place_, Enqueued{.place = last_place_, .request = &request});
  environment_.checks.events().on_waiting(request);
  deliver(queue);
}

void SimulatedBroker::consume(const LinkPointer& link) {
  links_.push_back(link);
  Queue& queue = queues_.at(link->queue);
  queue.consumers.push_back(link);
  deliver(queue);
}

void SimulatedBroker::deliver(Queue& queue) {
  while (!queue.ready.empty()) {
    std::vector<LinkPointer> free;
    std::ranges::copy_if(queue.consumers, std::back_inserter(free), [](const LinkPointer& link) {
      return link->unacknowledged.size() < link->prefetch;
    });
    if (free.empty()) {
      return;
    }
    const LinkPointer link = environment_.random.pick(free);
    const Enqueued message = queue.ready.extract(queue.ready.begin()).mapped();
    const std::uint64_t tag = ++link->last_tag;
    link->unacknowledged.push_back({tag, message});
    const Time arrival =
        in_order(link->wire.to_client, environment_.scheduler.now() + environment_.latency());
    environment_.scheduler.at(arrival, [link, tag, message] {
      if (link->wire.client_has_it && !link->is_stopped) {
        link->inbox.push_back({.delivery_tag = tag,
                               .redelivered = message.redelivered,
                               .properties = message.request->properties,
                               .body = message.request->body,
                               .undecodable = message.request->undecodable});
        link->arrived.notify();
      }
    });
  }
}

void SimulatedBroker::send_acknowledge(const LinkPointer& link, std::uint64_t tag, bool multiple) {
  const Time arrival =
      in_order(link->wire.to_broker, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, link, tag, multiple] {
    if (!link->wire.broker_has_it) {
      return;
    }
    std::erase_if(link->unacknowledged, [&](const LinkState::Unacknowledged& one) {
      return multiple ? one.tag <= tag : one.tag == tag;
    });
    deliver(queues_.at(link->queue));
  });
}

void SimulatedBroker::send_publish(const OutletPointer& outlet, std::uint64_t tag,
                                   const amqp::Message& message) {
  const Time arrival =
      in_order(outlet->wire.to_broker, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, outlet, tag, message] {
    if (outlet->wire.broker_has_it) {
      outlet->unread.emplace_back(tag, message);
      read_on(outlet);
    }
  });
}

bool SimulatedBroker::is_read(const OutletState& outlet) const {
  return outlet.wire.broker_has_it && !outlet.is_blocked &&
         std::ranges::none_of(outlet.unanswered, [this](const auto& queue) {
           return queue.second >= unanswered_max_;
         });
}

void SimulatedBroker::read_on(const OutletPointer& outlet) {
  while (!outlet->unread.empty() && is_read(*outlet)) {
    const auto [tag, message] = std::move(outlet->unread.front());
    outlet->unread.pop_front();
    --outlet->in_socket;
    outlet->progress.notify();
    handle_publish(outlet, tag, message);
    if (has_alarm_ && !outlet->is_blocked) {
      outlet->is_blocked = true;
      block(outlet, "low on memory");
    }
  }
}

void SimulatedBroker::block(const OutletPointer& outlet, const std::optional<std::string>& reason) {
  const Time arrival =
      in_order(outlet->wire.to_client, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [outlet, reason] {
    if (!outlet->is_heard()) {
      return;
    }
    outlet->blocked = reason;
    if (outlet->events.on_blocked) outlet->events.on_blocked(reason);
    outlet->progress.notify();
  });
}

void SimulatedBroker::handle_publish(const OutletPointer& outlet, std::uint64_t tag,
                                     const amqp::Message& message) {
  const bool is_event = !message.exchange.empty();
  const std::string queue = is_event ? std::string(kListener) : message.routing_key;
  if (is_event) {
    environment_.checks.events().on_published(message);
    if (auto error = error_of_exchange()) {
      close_for(outlet, *std::move(error));
      return;
    }
  }
  if (harmful_.contains(queue)) {
    close_for(outlet, {.fault = amqp::Fault::refused, .what = "INTERNAL_ERROR", .reply_code = 541},
              queue);
    return;
  }
  const Request* const request = environment_.checks.find(message.properties);
  OutletState::Unconfirmed answer{.tag = tag,
                                  .request = request,
                                  .queue = queue,
                                  .event = {},
                                  .is_dead_letter = queue.ends_with(".dlq"),
                                  .must_arrive = false,
                                  .is_positive = true,
                                  .is_withheld = false};
  if (is_event) answer.event = message.properties.message_id.value_or("");
  answer.must_arrive = answer.is_dead_letter || queue.ends_with(".undelivered") ||
                       (request != nullptr && request->is_order() && queue == kOrderReplies);
  Time confirm_after = environment_.latency();
  if (const auto silent = silent_.find(queue); silent != silent_.end()) {
    answer.is_withheld = true;
    silent->second.push_back({outlet, tag, message});
    ++outlet->unanswered[queue];
    outlet->unconfirmed.push_back(answer);
    environment_.trace("broker: {} is silent about {}", queue, message.body);
    return;
  }
  Time& full_until = full_until_[queue];
  if (environment_.scheduler.now() < full_until) {
    answer.is_positive = false;
  } else if (environment_.faults.strikes(InjectedFault::publish_nacked)) {
    answer.is_positive = false;  // it may have been routed or not
    if (environment_.random.chance(500)) {
      route(message);
    }
    if (environment_.random.chance(500)) {
      full_until = environment_.scheduler.now() + Time(environment_.random.below(60'000'000));
    }
  } else {
    enqueue_reply(outlet, answer, message);
  }
  if (queue == row_of(Kind::expiry).queue &&
      environment_.faults.strikes(InjectedFault::killed_in_sweep)) {
    environment_.kill(outlet->link->life);
  }
  answer.is_withheld = environment_.faults.strikes(InjectedFault::confirm_missing);
  if (environment_.faults.strikes(InjectedFault::confirm_late)) {
    confirm_after = Time(environment_.random.between(1, 28'000'000));
  }
  outlet->unconfirmed.push_back(answer);
  environment_.scheduler.after(confirm_after, [this, outlet] { send_a_confirm(outlet); });
}

void SimulatedBroker::enqueue_reply(const OutletPointer& outlet, OutletState::Unconfirmed& answer,
                                    const amqp::Message& message) {
  if (route(message) || !message.mandatory) {
    return;
  }
  environment_.scheduler.at(in_order(outlet->wire.to_client, environment_.scheduler.now()),
                            [outlet, id = message.properties.message_id.value_or(""),
                             key = message.routing_key] { outlet->confirms.returned(id, key); });
  if (answer.must_arrive) {
    answer.request = nullptr;  // it must arrive, so a return does not settle it
  }
}

// RabbitMQ 3.10 does so for some malformed direct reply-to addresses, and for an exchange that does
// not exist or is forbidden. Confirms that were not sent yet are lost.
void SimulatedBroker::close_for(const OutletPointer& outlet, amqp::Error error,
                                std::optional<std::string> address) {
  environment_.trace("broker: closes a connection: {}, {}", error.what, address.value_or("events"));
  const Time arrival =
      in_order(outlet->wire.to_client, environment_.scheduler.now() + environment_.latency());
  close_at_broker(outlet);
  environment_.scheduler.at(arrival, [this, outlet, error, address] {
    if (!outlet->is_heard()) {
      return;
    }
    if (address) ++(*outlet->link->addresses)[*address].closed;
    outlet->lost_as = error;
    drop_at_client(outlet);
  });
}

std::optional<amqp::Error> SimulatedBroker::error_of_exchange() const {
  if (environment_.scheduler.now() < exchange_refused_until_) {
    return amqp::Error{.fault = amqp::Fault::refused, .what = "ACCESS_REFUSED", .reply_code = 403};
  }
  if (!has_exchange_) {
    return amqp::Error{
        .fault = amqp::Fault::refused, .what = "NOT_FOUND - no exchange", .reply_code = 404};
  }
  return std::nullopt;
}

amqp::Result<void> SimulatedBroker::declare_exchange() {
  const Time now = environment_.scheduler.now();
  if (is_declaration_refused_ && now < exchange_refused_until_) {
    return std::unexpected(*error_of_exchange());
  }
  has_exchange_ = now >= exchange_gone_until_;
  return {};
}

void SimulatedBroker::delete_exchange(Time until) {
  environment_.trace("broker: the exchange is deleted");
  has_exchange_ = false;
  exchange_gone_until_ = until;
}

void SimulatedBroker::refuse_exchange(Time until, bool is_declaration_refused) {
  environment_.trace("broker: the exchange may not be used");
  exchange_refused_until_ = until;
  is_declaration_refused_ = is_declaration_refused;
}

void SimulatedBroker::end_bad_events() {
  exchange_gone_until_ = exchange_refused_until_ = Time(0);
  full_until_.erase(std::string(kListener));
  answer(std::string(kListener));
}

bool SimulatedBroker::route(const amqp::Message& message) {
  if (!message.exchange.empty()) {
    environment_.trace("broker: event {}: {}", message.routing_key, message.body);
    environment_.checks.events().on_told(message.properties.message_id.value_or(""));
    return true;
  }
  const bool has_queue = queues_.contains(message.routing_key);
  environment_.trace("broker: {} for {}: {}", has_queue ? "message" : "no queue, message",
                     message.routing_key, message.body);
  if (message.routing_key == row_of(Kind::expiry).queue) {
    enqueue(environment_.checks.add(Kind::expiry, message.properties, message.body, {}));
    return true;
  }
  environment_.checks.on_published(message, has_queue);
  return has_queue;
}

// The queue takes the messages that it held back, and answers. Those from a closed connection may
// be lost; if the queue has a new leader, all may be lost, and it answers none.
void SimulatedBroker::answer(const std::string& queue) {
  const auto silent = silent_.extract(queue);
  if (!silent) {
    return;
  }
  const bool is_another_leader = environment_.random.chance(200);
  environment_.trace("broker: {} answers{}", queue,
                     is_another_leader ? ", but nothing of what it has" : "");
  std::vector<OutletPointer> outlets;
  for (const auto& [outlet, tag, message] : silent.mapped()) {
    const auto answer = std::ranges::find(outlet->unconfirmed, tag, &OutletState::Unconfirmed::tag);
    if (!outlet->wire.broker_has_it || answer == outlet->unconfirmed.end()) {
      if (environment_.random.chance(500)) route(message);
      continue;
    }
    outlet->unanswered.erase(queue);
    if (std::ranges::find(outlets, outlet) == outlets.end()) outlets.push_back(outlet);
    if (is_another_leader) {
      if (environment_.random.chance(500)) route(message);
      continue;
    }
    enqueue_reply(outlet, *answer, message);
    answer->is_withheld = false;
    environment_.scheduler.after(environment_.latency(),
                                 [this, outlet] { send_a_confirm(outlet); });
  }
  for (const OutletPointer& outlet : outlets) {
    read_on(outlet);
  }
}

void SimulatedBroker::end_bad_things() {
  end_bad_events();
  harmful_.clear();
  full_until_.clear();
  while (!silent_.empty()) {
    answer(std::string(silent_.begin()->first));
  }
}

void SimulatedBroker::send_a_confirm(const OutletPointer& outlet) {
  auto& all = outlet->unconfirmed;
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].is_withheld) {
      candidates.push_back(i);
    }
  }
  if (candidates.empty() || !outlet->wire.broker_has_it) {
    return;
  }
  const std::size_t chosen = environment_.random.pick(candidates);
  const OutletState::Unconfirmed last = all[chosen];
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(chosen) + 1;
  const bool multiple = environment_.random.chance(300) &&
                        std::all_of(all.begin(), end, [&](const OutletState::Unconfirmed& one) {
                          return one.is_positive == last.is_positive && !one.is_withheld;
                        });
  const std::vector<OutletState::Unconfirmed> covered(multiple ? all.begin() : end - 1, end);
  all.erase(multiple ? all.begin() : end - 1, end);
  const Time arrival =
      in_order(outlet->wire.to_client, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, outlet, last, multiple, covered] {
    if (outlet->is_heard()) {
      handle_confirm(outlet, last.tag, multiple, last.is_positive, covered);
    }
  });
}

void SimulatedBroker::handle_confirm(const OutletPointer& outlet, std::uint64_t tag, bool multiple,
                                     bool is_positive,
                                     const std::vector<OutletState::Unconfirmed>& covered) {
  LinkState& link = *outlet->link;
  for (const auto& one : covered) {
    if (one.is_positive && one.request != nullptr) {
      (one.is_dead_letter ? link.settled_dead_letters : link.settled_replies).insert(one.request);
    }
    if (one.is_positive && one.event) environment_.checks.events().on_confirmed(*one.event);
    Address& address = (*link.addresses)[one.queue];
    if (!one.is_positive && !address.rejecting_since) {
      address.rejecting_since = environment_.scheduler.now();
    } else if (one.is_positive && address.rejecting_since) {
      address.rejected_for =
          std::max(address.rejected_for, environment_.scheduler.now() - *address.rejecting_since);
      address.rejecting_since.reset();
    }
  }
  const auto settlement = is_positive ? amqp::Settlement::confirmed : amqp::Settlement::rejected;
  if (!outlet->confirms.confirm(tag, multiple, settlement)) {
    environment_.checks.broken("a confirm is for a message that was sent", fmt::to_string(tag));
  }
}

void SimulatedBroker::close_at_broker(const LinkPointer& link) {
  if (!link->wire.broker_has_it) {
    return;
  }
  link->wire.broker_has_it = false;
  std::erase(links_, link);
  Queue& queue = queues_.at(link->queue);
  std::erase(queue.consumers, link);
  for (auto& [tag, message] : link->unacknowledged) {
    message.redelivered = true;
    environment_.checks.events().on_waiting(*message.request);
    queue.ready.emplace(message.place, message);
  }
  link->unacknowledged.clear();
  deliver(queue);
}

void SimulatedBroker::close_at_broker(const OutletPointer& outlet) {
  outlet->wire.broker_has_it = false;
  std::erase(outlets_, outlet);
}

// The broker notices a closed socket soon, or missing heartbeats later.
Time SimulatedBroker::latency_to_notice() {
  const bool is_slow = !environment_.faults.is_calm() && environment_.random.chance(100);
  return is_slow ? seconds(60) : environment_.latency();
}

void SimulatedBroker::drop_at_client(const LinkPointer& link) {
  if (!link->wire.client_has_it) {
    return;
  }
  link->wire.client_has_it = false;
  link->arrived.notify();
  environment_.scheduler.after(latency_to_notice(), [this, link] { close_at_broker(link); });
}

void SimulatedBroker::drop_at_client(const OutletPointer& outlet) {
  if (!outlet->wire.client_has_it) {
    return;
  }
  outlet->wire.client_has_it = false;
  outlet->progress.notify();
  environment_.scheduler.after(latency_to_notice(), [this, outlet] { close_at_broker(outlet); });
  if (outlet->link->life->is_alive && outlet->events.on_lost) {
    outlet->events.on_lost(outlet->lost_as);
  }
}

template <class Pointer>
void SimulatedBroker::lose(const Pointer& connection) {
  const Time notices = latency_to_notice();
  if (environment_.random.chance(500)) {
    drop_at_client(connection);
    return;
  }
  close_at_broker(connection);
  environment_.scheduler.after(notices, [this, connection] { drop_at_client(connection); });
}

void SimulatedBroker::lose_consuming(amqp::Fault fault) {
  if (links_.empty()) {
    return;
  }
  const LinkPointer link = environment_.random.pick(links_);
  environment_.trace("broker: a consuming connection from {} is lost", link->queue);
  link->fault = fault;
  lose(link);
}

void SimulatedBroker::lose_publishing() {
  if (outlets_.empty()) {
    return;
  }
  const OutletPointer outlet = environment_.random.pick(outlets_);
  environment_.trace("broker: a publishing connection for {} is lost", outlet->link->queue);
  lose(outlet);
}

void SimulatedBroker::go_down(Time how_long) {
  if (!is_up_) {
    return;
  }
  environment_.trace("broker: down for {}", how_long.count());
  is_up_ = false;
  const auto links = links_;
  for (const LinkPointer& link : links) {
    close_at_broker(link);
    environment_.scheduler.after(environment_.latency(), [this, link] { drop_at_client(link); });
  }
  const auto outlets = outlets_;
  for (const OutletPointer& outlet : outlets) {
    close_at_broker(outlet);
    environment_.scheduler.after(environment_.latency(),
                                 [this, outlet] { drop_at_client(outlet); });
  }
  environment_.scheduler.after(how_long, [this] {
    is_up_ = true;
    ++starts_;
  });
}

void SimulatedBroker::raise_alarm(Time how_long) {
  if (has_alarm_) {
    return;
  }
  environment_.trace("broker: memory alarm for {}", how_long.count());
  has_alarm_ = true;
  environment_.scheduler.after(how_long, [this] {
    has_alarm_ = false;
    const auto outlets = outlets_;
    for (const OutletPointer& outlet : outlets) {
      if (outlet->is_blocked) {
        outlet->is_blocked = false;
        block(outlet, {});
        read_on(outlet);
      }
    }
  });
}

void SimulatedBroker::forget(const LifePointer& life) {
  const auto links = links_;
  for (const LinkPointer& link : links) {
    if (link->life == life) {
      drop_at_client(link);
    }
  }
  const auto outlets = outlets_;
  for (const OutletPointer& outlet : outlets) {
    if (outlet->link->life == life) {
      drop_at_client(outlet);
    }
  }
}

std::string SimulatedBroker::describe() const {
  std::string text;
  for (const auto& [name, queue] : queues_) {
    std::size_t unacknowledged = 0;
    for (const LinkPointer& link : queue.consumers) {
      unacknowledged += link->unacknowledged.size();
    }
    const auto is_this = [&](const service::KindRow& kind) { return kind.queue == name; };
    if (std::ranges::any_of(service::kinds(), is_this)) {
      text += fmt::format("{}: {} ready, {} unacknowledged, {} consumers; ", name,
                          queue.ready.size(), unacknowledged, queue.consumers.size());
    }
  }
  return text;
}

void SimulatedBroker::clear() {
  queues_.clear();
  links_.clear();
  outlets_.clear();
  silent_.clear();
}

}  // namespace inventory::simulation
