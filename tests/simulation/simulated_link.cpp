#include "simulated_link.h"

#include <algorithm>

#include "service/answer.h"

namespace inventory::simulation {
namespace {

constexpr std::size_t kSocketMax = 100;  // messages; then the socket is full
constexpr Time kRejectedMin = seconds(5);
constexpr int kStrikesOfAQueue = 5;

amqp::Error error(amqp::Fault fault, std::string what) {
  return {.fault = fault, .what = std::move(what)};
}

// The time at which the close reaches the broker, after everything that was sent before it.
Time farewell_at(Environment& environment, Wire& wire) {
  wire.to_broker = std::max(wire.to_broker, environment.scheduler.now() + environment.latency());
  return wire.to_broker;
}

}  // namespace

// ---- an outlet

SimulatedOutlet::~SimulatedOutlet() {
  if (state_->link->life->is_alive) {
    state_->events = {};
    broker_.drop_at_client(state_);
  }
}

Task<amqp::Result<std::size_t>> SimulatedOutlet::send(std::span<const std::uint64_t> tokens,
                                                      const amqp::FindMessage& find) {
  const OutletPointer state = state_;
  std::size_t written = 0;
  for (const std::uint64_t token : tokens) {
    while (state->wire.client_has_it && !state->is_sending_stopped &&
           (state->blocked || state->in_socket >= kSocketMax)) {
      co_await state->progress.wait();
    }
    if (!state->wire.client_has_it) {
      co_return std::unexpected(state->lost_as);
    }
    if (state->is_sending_stopped) {
      break;
    }
    ++written;
    const amqp::Message* const found = find(token);
    if (found == nullptr) {
      continue;
    }
    amqp::Message message = *found;
    if (!message.properties.message_id && !message.keeps_properties) {
      message.properties.message_id = state->confirms.next_message_id();
    }
    state->confirms.sent(token, message);
    ++state->in_socket;
    broker_.send_publish(state, ++state->last_publish_tag, message);
  }
  co_return written;
}

void SimulatedOutlet::stop_sending() {
  state_->is_sending_stopped = true;
  state_->progress.notify();
}

Task<amqp::Result<void>> SimulatedOutlet::ensure_queue(std::string name) {
  const OutletPointer state = state_;
  co_await environment_.scheduler.sleep(state->link->life, environment_.latency());
  if (!state->wire.broker_has_it || !state->wire.client_has_it) {
    co_return std::unexpected(state->lost_as);
  }
  if (environment_.faults.strikes(InjectedFault::connect_failed)) {
    co_return std::unexpected(error(amqp::Fault::refused, "queue " + name));
  }
  broker_.declare(name);
  co_return amqp::Result<void>();
}

Task<amqp::Result<void>> SimulatedOutlet::ensure_exchange(std::string name) {
  const OutletPointer state = state_;
  co_await environment_.scheduler.sleep(state->link->life, environment_.latency());
  if (!state->wire.broker_has_it || !state->wire.client_has_it) {
    co_return std::unexpected(state->lost_as);
  }
  if (environment_.faults.strikes(InjectedFault::connect_failed)) {
    co_return std::unexpected(error(amqp::Fault::refused, "exchange " + name));
  }
  co_return broker_.declare_exchange();
}

Task<void> SimulatedOutlet::close() {
  const OutletPointer state = state_;
  if (!state->wire.client_has_it) {
    co_return;
  }
  const Time arrival = farewell_at(environment_, state->wire);
  environment_.scheduler.at(arrival, [this, state] { broker_.close_at_broker(state); });
  co_await environment_.scheduler.sleep(state->link->life, arrival - environment_.scheduler.now());
  state->wire.client_has_it = false;
}

// ---- a link

SimulatedLink::~SimulatedLink() {
  if (state_->life->is_alive) {
    broker_.drop_at_client(state_);
  }
}

bool SimulatedLink::fails() {
  return !broker_.is_up() || broker_.starts() != starts_ ||
         environment_.faults.strikes(InjectedFault::connect_failed);
}

Task<amqp::Result<std::unique_ptr<service::Outlet>>> SimulatedLink::open_outlet(
    Connection /*connection*/, service::OutletEvents events) {
  co_await environment_.scheduler.sleep(state_->life, environment_.latency());
  if (fails()) {
    co_return std::unexpected(error(amqp::Fault::link_lost, "connection refused"));
  }
  const auto outlet =
      std::make_shared<OutletState>(environment_.scheduler.context(), state_, std::move(events),
                                    environment_.checks.next_outlet());
  broker_.attach(outlet);
  co_await environment_.scheduler.sleep(state_->life, environment_.latency());
  if (!outlet->wire.client_has_it || environment_.faults.strikes(InjectedFault::connect_failed)) {
    outlet->events = {};
    broker_.drop_at_client(outlet);
    co_return std::unexpected(error(amqp::Fault::link_lost, "no answer to channel.open"));
  }
  co_return std::make_unique<SimulatedOutlet>(environment_, broker_, outlet);
}

Task<amqp::Result<void>> SimulatedLink::start_receiving() {
  co_await environment_.scheduler.sleep(state_->life, environment_.latency());
  if (fails()) {
    co_return std::unexpected(error(amqp::Fault::link_lost, "connection refused"));
  }
  broker_.consume(state_);
  co_await environment_.scheduler.sleep(state_->life, environment_.latency());
  if (environment_.faults.strikes(InjectedFault::connect_failed)) {
    broker_.drop_at_client(state_);
    co_return std::unexpected(error(amqp::Fault::link_lost, "no answer to basic.consume"));
  }
  co_return amqp::Result<void>();
}

Task<amqp::Result<std::vector<amqp::Delivery>>> SimulatedLink::receive(std::size_t count) {
  const LinkPointer state = state_;
  while (state->inbox.empty() && !state->is_stopped && state->wire.client_has_it) {
    co_await state->arrived.wait();
  }
  if (state->is_stopped) {
    co_return std::unexpected(error(amqp::Fault::stopping, "the consumer was stopped"));
  }
  if (!state->wire.client_has_it) {
    co_return std::unexpected(error(state->fault, "the consuming connection is lost"));
  }
  std::vector<amqp::Delivery> taken;
  while (!state->inbox.empty() && taken.size() < count) {
    const Request* const request = environment_.checks.find(state->inbox.front().properties);
    environment_.checks.on_received(*request);
    arrivals_.received.push_back(request);
    state->in_hand.push_back(
        {state->inbox.front().delivery_tag, request, environment_.scheduler.now()});
    taken.push_back(std::move(state->inbox.front()));
    taken.back().received_at = std::chrono::steady_clock::time_point(environment_.scheduler.now());
    state->inbox.pop_front();
  }
  if (!taken.empty()) {
    environment_.trace("{}: received {} up to request {}", state->queue, taken.size(),
                       state->in_hand.back().request->number);
  }
  if (state->in_hand.size() > state->prefetch) {
    environment_.checks.broken("at most the prefetch is in hand",
                               fmt::format("{} requests", state->in_hand.size()));
  }
  co_return taken;
}

void SimulatedLink::acknowledge_up_to(std::uint64_t delivery_tag) {
  auto& in_hand = state_->in_hand;
  while (!in_hand.empty() && in_hand.front().tag <= delivery_tag) {
    see_acknowledged(in_hand.front());
    in_hand.pop_front();
  }
  if (state_->wire.client_has_it) {
    broker_.send_acknowledge(state_, delivery_tag, true);
  }
}

void SimulatedLink::acknowledge(std::uint64_t delivery_tag) {
  auto& in_hand = state_->in_hand;
  const auto found = std::ranges::find(in_hand, delivery_tag, &LinkState::InHand::tag);
  if (found == in_hand.end()) {
    environment_.checks.broken("what is acknowledged is in hand", fmt::to_string(delivery_tag));
    return;
  }
  see_acknowledged(*found);
  in_hand.erase(found);
  if (state_->wire.client_has_it) {
    broker_.send_acknowledge(state_, delivery_tag, false);
  }
}

void SimulatedLink::see_acknowledged(const LinkState::InHand& one) {
  environment_.trace("{}: request {} acknowledged", state_->queue, one.request->number);
  // Otherwise the broker has requeued the request by now.
  if (state_->wire.broker_has_it)
    environment_.checks.events().on_acknowledged(*one.request, *state_->life);
  bool reply_is_settled =
      !one.request->is_replied_to() || state_->settled_replies.contains(one.request);
  if (!reply_is_settled && may_be_given_up(one)) {
    environment_.checks.on_given_up(*one.request);
    reply_is_settled = true;
  }
  environment_.checks.on_acknowledge(*one.request, environment_.scheduler.now() - one.since,
                                     reply_is_settled,
                                     state_->settled_dead_letters.contains(one.request));
}

// By the rules of docs/contract.md: a client's queue that has rejected for some seconds, or because
// of which the broker closes connections.
bool SimulatedLink::may_be_given_up(const LinkState::InHand& one) const {
  const std::string queue = environment_.checks.reply_queue(*one.request);
  if (one.request->is_order() && queue == kOrderReplies) {
    return false;
  }
  const auto known = state_->addresses->find(queue);
  if (known == state_->addresses->end()) {
    return false;
  }
  const Time now = environment_.scheduler.now();
  const Time rejected_for =
      std::max(known->second.rejected_for, now - known->second.rejecting_since.value_or(now));
  const int closed_min = service::is_direct_reply(queue) ? 1 : kStrikesOfAQueue;
  return known->second.closed >= closed_min ||
         (rejected_for >= kRejectedMin && now - one.since >= kRejectedMin);
}

void SimulatedLink::stop_receiving() {
  state_->is_stopped = true;
  state_->inbox.clear();
  state_->arrived.notify();
}

Task<void> SimulatedLink::close() {
  const LinkPointer state = state_;
  if (environment_.faults.is_clean() && !state->in_hand.empty()) {
    environment_.checks.broken("where nothing fails, a stop acknowledges all that was received",
                               fmt::format("request {}", state->in_hand.front().request->number));
  }
  if (!state->wire.client_has_it) {
    co_return;
  }
  const Time arrival = farewell_at(environment_, state->wire);
  environment_.scheduler.at(arrival, [this, state] { broker_.close_at_broker(state); });
  co_await environment_.scheduler.sleep(state->life, arrival - environment_.scheduler.now());
  state->wire.client_has_it = false;
}

// ---- the broker

Task<amqp::Result<std::unique_ptr<service::Link>>> SimulatedBrokerPort::open() {
  const auto starts = broker_.starts();
  const auto fails = [&] {
    return !broker_.is_up() || broker_.starts() != starts ||
           environment_.faults.strikes(InjectedFault::connect_failed);
  };
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (fails()) {
    co_return std::unexpected(error(amqp::Fault::link_lost, "connection refused"));
  }
  for (const std::string& queue : options_.other_queues) {
    co_await environment_.scheduler.sleep(life_, environment_.latency());
    if (fails()) {
      co_return std::unexpected(error(amqp::Fault::refused, "queue " + queue));
    }
    broker_.declare(queue);
  }
  ++arrivals_.epoch;
  arrivals_.received.clear();
  arrivals_.overtaken.clear();
  co_return std::make_unique<SimulatedLink>(
      environment_, broker_, arrivals_,
      std::make_shared<LinkState>(environment_.scheduler.context(), life_, options_.queue,
                                  options_.prefetch, addresses_));
}

}  // namespace inventory::simulation
