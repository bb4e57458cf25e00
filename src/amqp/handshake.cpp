// How a connection is opened: protocol header, start, tune, open (AMQP 0-9-1, 2.2.4).
#include <algorithm>

#include <fmt/format.h>

#include "amqp/connection_impl.h"

namespace amqp {
namespace {

// RabbitMQ accepts no frame above 4096 bytes before tune-ok.
constexpr std::size_t kNameMax = 255;

}  // namespace

Task<Result<void>> ConnectionImpl::open() {
  const auto deadline = Clock::now() + options_.connect_timeout;
  const auto connected = co_await transport_.connect(
      host_, endpoint_.tls ? std::optional(options_.tls) : std::nullopt, options_.connect_timeout);
  if (!connected) fail(link_lost(connected.error()));
  if (failure_) co_return std::unexpected(*failure_);
  append_protocol_header(out_);
  start(&read_loop);
  start(&write_loop);
  const auto shaken = co_await handshake(deadline);
  if (!shaken) fail(shaken.error());
  if (failure_) co_return std::unexpected(*failure_);
  is_open_ = true;
  if (heartbeat_.count() > 0) start(&heartbeat_loop);
  co_return Result<void>();
}

template <class Answer>
Task<Result<Answer>> ConnectionImpl::answer(Clock::time_point deadline) {
  if (failure_) co_return std::unexpected(*failure_);
  call_.expect<Answer>();
  auto method = co_await call_.wait_until(deadline);
  if (failure_) co_return std::unexpected(*failure_);
  if (!method) {
    co_return std::unexpected(link_lost(
        fmt::format("no {} within {} ms", Answer::kName, options_.connect_timeout.count())));
  }
  co_return std::get<Answer>(std::move(*method));
}

Task<Result<void>> ConnectionImpl::handshake(Clock::time_point deadline) {
  const auto start = co_await answer<method::ConnectionStart>(deadline);
  if (!start) co_return std::unexpected(start.error());
  broker_version_ = start->version;
  if (!fmt::format(" {} ", start->mechanisms).contains(" PLAIN ")) {
    Error error = link_lost("the broker does not offer PLAIN authentication");
    error.fault = Fault::refused;
    co_return std::unexpected(std::move(error));
  }
  send(0, method::ConnectionStartOk{.connection_name = options_.name.substr(0, kNameMax),
                                    .user = endpoint_.user,
                                    .password = endpoint_.password});

  const auto proposal = co_await answer<method::ConnectionTune>(deadline);
  if (!proposal) co_return std::unexpected(proposal.error());
  auto tuned = tune(*proposal);
  if (!tuned) co_return tuned;
  if (!send(0, method::ConnectionOpen{.vhost = endpoint_.vhost})) {
    Error error = link_lost("the vhost has more than 255 bytes");
    error.fault = Fault::refused;
    co_return std::unexpected(std::move(error));
  }
  const auto opened = co_await answer<method::ConnectionOpenOk>(deadline);
  if (!opened) co_return std::unexpected(opened.error());
  co_return Result<void>();
}

Result<void> ConnectionImpl::tune(const method::ConnectionTune& proposal) {
  // 0 means no limit, or no heartbeat.
  if (proposal.frame_max != 0) frame_max_ = std::min<std::size_t>(frame_max_, proposal.frame_max);
  if (frame_max_ < kFrameMaxLeast) {
    return std::unexpected(link_lost(fmt::format("frames of at most {} bytes proposed, {} is least",
                                                 proposal.frame_max, kFrameMaxLeast)));
  }
  reader_.limit(frame_max_);
  if (proposal.channel_max != 0) channel_max_ = std::min(channel_max_, proposal.channel_max);
  heartbeat_ = endpoint_.heartbeat;
  if (proposal.heartbeat_seconds != 0) {
    heartbeat_ = std::min(heartbeat_, std::chrono::seconds(proposal.heartbeat_seconds));
  }
  send(0, method::ConnectionTuneOk{
              .channel_max = channel_max_,
              .frame_max = static_cast<std::uint32_t>(frame_max_),
              .heartbeat_seconds = static_cast<std::uint16_t>(heartbeat_.count())});
  return {};
}

}  // namespace amqp
