#include "simulated_broker.h"

#include <algorithm>
#include <utility>

namespace inventory::simulation {
namespace {

constexpr int kRejectionsMax = 5;  // as often as the flow tries

Time in_order(Time& last, Time arrival) {
  last = std::max(last, arrival);
  return last;
}

}  // namespace

LinkState::LinkState(boost::asio::io_context& context, LifePointer of, std::string from,
                     std::size_t limit)
    : life(std::move(of)),
      queue(std::move(from)),
      prefetch(limit),
      arrived(context, life),
      progress(context, life) {
  confirms.set_message_id_prefix("link-");
}

void SimulatedBroker::enqueue(const Request& request) {
  Queue& queue = queues_.at(std::string(request.is_order ? kOrderQueue : kItemQueue));
  environment_.trace("broker: request {} enqueued: {}", request.number, request.body);
  ++last_place_;
  queue.ready.emplace(last_place_, Enqueued{.place = last_place_, .request = &request});
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
        in_order(link->consuming.to_client, environment_.scheduler.now() + environment_.latency());
    environment_.scheduler.at(arrival, [link, tag, message] {
      if (link->consuming.client_has_it && !link->is_stopped) {
        link->inbox.push_back({.delivery_tag = tag,
                               .redelivered = message.redelivered,
                               .properties = message.request->properties,
                               .body = message.request->body});
        link->arrived.notify();
      }
    });
  }
}

void SimulatedBroker::send_acknowledge(const LinkPointer& link, std::uint64_t tag) {
  const Time arrival =
      in_order(link->consuming.to_broker, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, link, tag] {
    if (!link->consuming.broker_has_it) {
      return;
    }
    while (!link->unacknowledged.empty() && link->unacknowledged.front().tag <= tag) {
      link->unacknowledged.pop_front();
    }
    deliver(queues_.at(link->queue));
  });
}

void SimulatedBroker::send_publish(const LinkPointer& link, std::uint64_t tag,
                                   const amqp::Message& message) {
  const Time arrival =
      in_order(link->publishing.to_broker, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, link, tag, message] {
    if (link->publishing.broker_has_it) {
      handle_publish(link, tag, message);
    }
  });
}

void SimulatedBroker::handle_publish(const LinkPointer& link, std::uint64_t tag,
                                     const amqp::Message& message) {
  const Request* const request = environment_.checks.find(message.properties);
  LinkState::Unconfirmed answer{.tag = tag,
                                .request = request,
                                .is_dead_letter = message.routing_key.ends_with(".dlq"),
                                .must_arrive = false,
                                .is_positive = true,
                                .is_withheld = false};
  answer.must_arrive = answer.is_dead_letter || (request != nullptr && request->is_order &&
                                                 message.routing_key == kOrderReplies);
  Time confirm_after = environment_.latency();
  Time& full_until = full_until_[message.routing_key];
  if (environment_.scheduler.now() < full_until) {
    answer.is_positive = false;
  } else if (environment_.faults.strikes(Fault::publish_nacked)) {
    answer.is_positive = false;  // and nobody knows whether it was routed
    if (environment_.random.chance(500)) {
      route(message);
    }
    if (environment_.random.chance(500)) {
      full_until = environment_.scheduler.now() + Time(environment_.random.below(60'000'000));
    }
  } else if (!route(message) && message.mandatory) {
    environment_.scheduler.at(in_order(link->publishing.to_client, environment_.scheduler.now()),
                              [link, id = message.properties.message_id.value_or(""),
                               key = message.routing_key] { link->confirms.returned(id, key); });
    if (answer.must_arrive) {
      answer.request = nullptr;  // it has to arrive: this answer settles nothing
    }
  }
  answer.is_withheld = environment_.faults.strikes(Fault::confirm_missing);
  if (environment_.faults.strikes(Fault::confirm_late)) {
    confirm_after = Time(environment_.random.between(1, 28'000'000));
  }
  link->unconfirmed.push_back(answer);
  environment_.scheduler.after(confirm_after, [this, link] { send_a_confirm(link); });
}

bool SimulatedBroker::route(const amqp::Message& message) {
  const bool has_queue = queues_.contains(message.routing_key);
  environment_.trace("broker: {} for {}: {}", has_queue ? "message" : "no queue, message",
                     message.routing_key, message.body);
  environment_.checks.on_published(message, has_queue);
  return has_queue;
}

void SimulatedBroker::send_a_confirm(const LinkPointer& link) {
  auto& all = link->unconfirmed;
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].is_withheld) {
      candidates.push_back(i);
    }
  }
  if (candidates.empty() || !link->publishing.broker_has_it) {
    return;
  }
  const std::size_t chosen = environment_.random.pick(candidates);
  const LinkState::Unconfirmed last = all[chosen];
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(chosen) + 1;
  const bool multiple = environment_.random.chance(300) &&
                        std::all_of(all.begin(), end, [&](const LinkState::Unconfirmed& one) {
                          return one.is_positive == last.is_positive && !one.is_withheld;
                        });
  const std::vector<LinkState::Unconfirmed> covered(multiple ? all.begin() : end - 1, end);
  all.erase(multiple ? all.begin() : end - 1, end);
  const Time arrival =
      in_order(link->publishing.to_client, environment_.scheduler.now() + environment_.latency());
  environment_.scheduler.at(arrival, [this, link, last, multiple, covered] {
    if (link->publishing.client_has_it) {
      handle_confirm(link, last.tag, multiple, last.is_positive, covered);
    }
  });
}

void SimulatedBroker::handle_confirm(const LinkPointer& link, std::uint64_t tag, bool multiple,
                                     bool is_positive,
                                     const std::vector<LinkState::Unconfirmed>& covered) {
  for (const auto& one : covered) {
    if (one.is_positive && one.request != nullptr) {
      (one.is_dead_letter ? link->settled_dead_letters : link->settled_replies).insert(one.request);
    }
    // One client's queue that keeps rejecting must not stop the answers of all others.
    if (!one.is_positive && one.request != nullptr && !one.must_arrive &&
        ++link->rejections[one.request] >= kRejectionsMax) {
      link->settled_replies.insert(one.request);
      environment_.checks.on_given_up(*one.request);
    }
  }
  const auto settlement = is_positive ? amqp::Settlement::confirmed : amqp::Settlement::rejected;
  if (!link->confirms.confirm(tag, multiple, settlement)) {
    environment_.checks.broken("a confirm is for a message that was sent", fmt::to_string(tag));
  }
  link->last_progress = environment_.scheduler.now();
  link->progress.notify();
}

void SimulatedBroker::close_at_broker(const LinkPointer& link, Wire& wire) {
  if (!wire.broker_has_it) {
    return;
  }
  wire.broker_has_it = false;
  if (!link->consuming.broker_has_it && !link->publishing.broker_has_it) {
    std::erase(links_, link);
  }
  if (&wire != &link->consuming) {
    return;
  }
  Queue& queue = queues_.at(link->queue);
  std::erase(queue.consumers, link);
  for (auto& [tag, message] : link->unacknowledged) {
    message.redelivered = true;
    queue.ready.emplace(message.place, message);
  }
  link->unacknowledged.clear();
  deliver(queue);
}

void SimulatedBroker::drop_at_client(const LinkPointer& link, Wire& wire) {
  if (!wire.client_has_it) {
    return;
  }
  wire.client_has_it = false;
  link->arrived.notify();
  link->progress.notify();
  // The broker sees the socket close soon, or misses heartbeats.
  const Time notices = environment_.random.chance(100) ? seconds(60) : environment_.latency();
  environment_.scheduler.after(notices, [this, link, &wire] { close_at_broker(link, wire); });
}

void SimulatedBroker::lose(const LinkPointer& link, Wire& wire) {
  const Time notices = environment_.random.chance(100) ? seconds(60) : environment_.latency();
  if (environment_.random.chance(500)) {
    drop_at_client(link, wire);
    return;
  }
  close_at_broker(link, wire);
  environment_.scheduler.after(notices, [this, link, &wire] { drop_at_client(link, wire); });
}

LinkPointer SimulatedBroker::pick_link() {
  return links_.empty() ? nullptr : environment_.random.pick(links_);
}

void SimulatedBroker::lose_consuming(amqp::Fault fault) {
  if (const auto link = pick_link()) {
    environment_.trace("broker: a consuming connection from {} is lost", link->queue);
    link->consuming_fault = fault;
    lose(link, link->consuming);
  }
}

void SimulatedBroker::lose_publishing() {
  if (const auto link = pick_link()) {
    environment_.trace("broker: a publishing connection for {} is lost", link->queue);
    lose(link, link->publishing);
  }
}

void SimulatedBroker::go_down(Time how_long) {
  if (!is_up_) {
    return;
  }
  environment_.trace("broker: down for {}", how_long.count());
  is_up_ = false;
  const auto links = links_;
  for (const LinkPointer& link : links) {
    for (Wire* wire : {&link->consuming, &link->publishing}) {
      close_at_broker(link, *wire);
      environment_.scheduler.after(environment_.latency(),
                                   [this, link, wire] { drop_at_client(link, *wire); });
    }
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
    for (const LinkPointer& link : links_) {
      link->last_progress = environment_.scheduler.now();
      link->progress.notify();
    }
  });
}

void SimulatedBroker::forget(const LifePointer& life) {
  const auto links = links_;
  for (const LinkPointer& link : links) {
    if (link->life == life) {
      drop_at_client(link, link->consuming);
      drop_at_client(link, link->publishing);
    }
  }
}

bool SimulatedBroker::is_drained() const {
  for (const auto* name : {&kOrderQueue, &kItemQueue}) {
    const Queue& queue = queues_.at(std::string(*name));
    const bool is_idle = std::ranges::all_of(
        queue.consumers, [](const LinkPointer& link) { return link->unacknowledged.empty(); });
    if (!queue.ready.empty() || !is_idle) {
      return false;
    }
  }
  return true;
}

std::string SimulatedBroker::describe() const {
  std::string text;
  for (const auto& [name, queue] : queues_) {
    std::size_t unacknowledged = 0;
    for (const LinkPointer& link : queue.consumers) {
      unacknowledged += link->unacknowledged.size();
    }
    if (name == kOrderQueue || name == kItemQueue) {
      text += fmt::format("{}: {} ready, {} unacknowledged, {} consumers; ", name,
                          queue.ready.size(), unacknowledged, queue.consumers.size());
    }
  }
  return text;
}

void SimulatedBroker::clear() {
  queues_.clear();
  links_.clear();
}

}  // namespace inventory::simulation
