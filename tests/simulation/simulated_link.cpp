#include "simulated_link.h"

#include <algorithm>

namespace inventory::simulation {
namespace {

constexpr Time kConfirmTimeout = seconds(30);

amqp::Error error(amqp::Fault fault, std::string what) {
  return {.fault = fault, .what = std::move(what)};
}

}  // namespace

SimulatedLink::~SimulatedLink() {
  if (state_->life->is_alive) {
    drop();
  }
}

Task<amqp::Result<std::vector<amqp::Delivery>>> SimulatedLink::receive(std::size_t count) {
  LinkState& state = *state_;
  while (state.inbox.empty() && !state.is_stopped && state.consuming.client_has_it) {
    co_await state.arrived.wait();
  }
  if (state.is_stopped) {
    co_return std::unexpected(error(amqp::Fault::stopping, "the consumer was stopped"));
  }
  if (!state.consuming.client_has_it) {
    co_return std::unexpected(error(state.consuming_fault, "the consuming connection is lost"));
  }
  std::vector<amqp::Delivery> taken;
  while (!state.inbox.empty() && taken.size() < count) {
    const Request* const request = environment_.checks.find(state.inbox.front().properties);
    environment_.checks.on_received(*request);
    state.in_hand.push_back({state.inbox.front().delivery_tag, request});
    taken.push_back(std::move(state.inbox.front()));
    state.inbox.pop_front();
  }
  environment_.trace("{}: received {} from request {}", state.queue, taken.size(),
                     state.in_hand.back().request->number);
  if (state.in_hand.size() > in_hand_max_) {
    environment_.checks.broken("at most three batches are in hand",
                               fmt::format("{} requests", state.in_hand.size()));
  }
  co_return taken;
}

Task<amqp::Result<std::vector<amqp::Settlement>>> SimulatedLink::publish(
    std::span<const amqp::Message> messages) {
  LinkState& state = *state_;
  state.confirms.begin(messages);
  state.last_progress = environment_.scheduler.now();
  for (std::size_t i = 0; i < messages.size() && state.publishing.client_has_it; ++i) {
    if (broker_.has_alarm()) {
      on_blocked_("low on memory");
      while (broker_.has_alarm() && state.publishing.client_has_it) {
        co_await wait_for_progress();
      }
      if (state.publishing.client_has_it) {
        on_blocked_({});
      }
    }
    amqp::Message message = messages[i];
    if (!message.properties.message_id && !message.keeps_properties) {
      message.properties.message_id = state.confirms.next_message_id();
    }
    state.confirms.sent(i);
    broker_.send_publish(state_, ++state.last_publish_tag, message);
  }
  while (state.confirms.unsettled() > 0 && state.publishing.client_has_it) {
    co_await wait_for_progress();
  }
  auto settlements = state.confirms.take();
  state.confirms.end();
  if (!state.publishing.client_has_it) {
    co_return std::unexpected(error(amqp::Fault::link_lost, "the publishing connection is lost"));
  }
  co_return settlements;
}

// Fails the connection if the broker has not answered for too long, while it does not block us.
Task<void> SimulatedLink::wait_for_progress() {
  const LinkPointer state = state_;
  const Time since = state->last_progress;
  if (!broker_.has_alarm()) {
    if (environment_.scheduler.now() >= since + kConfirmTimeout) {
      broker_.drop_at_client(state, state->publishing);
      co_return;
    }
    environment_.scheduler.at(since + kConfirmTimeout, [state] { state->progress.notify(); });
  }
  co_await state->progress.wait();
}

void SimulatedLink::acknowledge_up_to(std::uint64_t delivery_tag) {
  LinkState& state = *state_;
  while (!state.in_hand.empty() && state.in_hand.front().tag <= delivery_tag) {
    const Request* const request = state.in_hand.front().request;
    environment_.trace("{}: request {} acknowledged", state.queue, request->number);
    environment_.checks.on_acknowledge(*request, state.settled_replies.contains(request),
                                       state.settled_dead_letters.contains(request));
    state.in_hand.pop_front();
  }
  if (state.consuming.client_has_it) {
    broker_.send_acknowledge(state_, delivery_tag);
  }
}

void SimulatedLink::stop_receiving() {
  state_->is_stopped = true;
  state_->inbox.clear();
  state_->arrived.notify();
}

void SimulatedLink::drop() {
  broker_.drop_at_client(state_, state_->publishing);
  broker_.drop_at_client(state_, state_->consuming);
}

Task<void> SimulatedLink::close() {
  const LinkPointer state = state_;
  if (environment_.faults.is_clean() && !state->in_hand.empty()) {
    environment_.checks.broken("where nothing fails, a stop acknowledges all that was received",
                               fmt::format("request {}", state->in_hand.front().request->number));
  }
  for (Wire* wire : {&state->publishing, &state->consuming}) {
    if (!wire->client_has_it) {
      continue;
    }
    // The farewell comes after all that was sent before it.
    const Time arrival =
        std::max(wire->to_broker, environment_.scheduler.now() + environment_.latency());
    wire->to_broker = arrival;
    environment_.scheduler.at(arrival,
                              [this, state, wire] { broker_.close_at_broker(state, *wire); });
    co_await environment_.scheduler.sleep(state->life, arrival - environment_.scheduler.now());
    wire->client_has_it = false;
  }
}

Task<amqp::Result<std::unique_ptr<service::Link>>> SimulatedBrokerPort::open(
    service::OnBlocked on_blocked) {
  const auto starts = broker_.starts();
  const auto state = std::make_shared<LinkState>(environment_.scheduler.context(), life_,
                                                 options_.queue, options_.prefetch);
  const auto fails = [&] {
    return !broker_.is_up() || broker_.starts() != starts ||
           environment_.faults.strikes(Fault::connect_failed);
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
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (fails()) {
    co_return std::unexpected(error(amqp::Fault::link_lost, "connection refused"));
  }
  broker_.consume(state);
  co_await environment_.scheduler.sleep(life_, environment_.latency());
  if (environment_.faults.strikes(Fault::connect_failed)) {
    broker_.drop_at_client(state, state->publishing);
    broker_.drop_at_client(state, state->consuming);
    co_return std::unexpected(error(amqp::Fault::link_lost, "no answer to basic.consume"));
  }
  co_return std::make_unique<SimulatedLink>(environment_, broker_, state, std::move(on_blocked),
                                            options_.in_hand_max);
}

}  // namespace inventory::simulation
