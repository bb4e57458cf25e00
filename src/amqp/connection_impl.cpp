#include "amqp/connection_impl.h"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "amqp/channel.h"

namespace amqp {
namespace {

// One for each consumer and publisher, one for an occasional declaration; there may be hundreds of
// publishers, each waiting for its queue.
constexpr std::uint16_t kChannelMax = 1024;

// A heartbeat is sent every half interval. The connection fails if the peer's are missing for two
// intervals.
constexpr int kSilentBeatsMax = 4;

constexpr std::chrono::seconds kFarewellTimeout{1};
constexpr std::size_t kIdleBufferMax = std::size_t{1} << 20;
constexpr std::uint16_t kConnectionForced = 320;

using Failure = std::unexpected<std::string>;

}  // namespace

ConnectionImpl::ConnectionImpl(const boost::asio::any_io_executor& executor, Endpoint endpoint,
                               Host host, ConnectionOptions options)
    : executor_(executor),
      endpoint_(std::move(endpoint)),
      host_(std::move(host)),
      options_(std::move(options)),
      transport_(executor),
      reader_(kFrameMaxDefault),
      channel_max_(kChannelMax),
      call_(executor),
      writable_(executor),
      readable_(executor),
      beat_(executor),
      farewell_(executor) {}

Error ConnectionImpl::link_lost(std::string_view what) const {
  return {.fault = Fault::link_lost,
          .what = fmt::format("{}:{}: {}", host_.name, host_.port, what)};
}

void ConnectionImpl::fail(Error error) {
  if (failure_) return;
  failure_ = std::move(error);
  blocked_.reset();
  for (const auto& [number, channel] : std::exchange(channels_, {})) {
    if (channel != nullptr) channel->on_connection_failed(*failure_);
  }
  call_.give_up();
  writable_.notify();
  readable_.notify();
  beat_.notify();
  if (has_farewell_) return;
  out_.clear();
  transport_.close();
}

Result<std::uint16_t> ConnectionImpl::attach(Channel& channel) {
  if (failure_) return std::unexpected(*failure_);
  std::uint16_t number = 1;
  for (const auto& [used, _] : channels_) {
    if (used != number) break;
    ++number;
  }
  if (number > channel_max_) {
    return std::unexpected(
        channel.refused(fmt::format("all {} channels are in use", channel_max_)));
  }
  channels_.emplace(number, &channel);
  return number;
}

void ConnectionImpl::release(std::uint16_t number, bool expects_close_ok) {
  if (failure_) return;
  if (expects_close_ok) {
    channels_[number] = nullptr;
  } else {
    channels_.erase(number);
  }
}

bool ConnectionImpl::send_message(std::uint16_t channel, const Message& message,
                                  std::optional<std::string_view> message_id) {
  if (!append_message(out_, channel, frame_max_, message, message_id)) return false;
  writable_.notify();
  return true;
}

void ConnectionImpl::resume_reading() {
  --pauses_;
  readable_.notify();
}

void ConnectionImpl::start(Task<void> (*loop)(std::shared_ptr<ConnectionImpl>)) {
  auto self = shared_from_this();
  boost::asio::co_spawn(executor_, loop(self), [self](const std::exception_ptr& thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      self->fail(self->link_lost(exception.what()));
    }
  });
}

Task<void> ConnectionImpl::read_loop(std::shared_ptr<ConnectionImpl> self) {
  while (!self->failure_) {
    self->is_reading_ = self->may_read();
    if (!self->is_reading_) {
      co_await self->readable_.wait();
      continue;
    }
    const auto size = co_await self->transport_.read_some(self->reader_.space());
    if (!size) {
      self->fail(self->link_lost(size.error()));
      co_return;
    }
    self->silent_beats_ = 0;
    self->reader_.commit(*size);
    self->handle_frames();
  }
}

Task<void> ConnectionImpl::write_loop(std::shared_ptr<ConnectionImpl> self) {
  for (;;) {
    if (self->out_.empty()) {
      if (self->failure_) break;
      co_await self->writable_.wait();
      continue;
    }
    std::swap(self->out_, self->writing_);
    const bool is_heartbeat = self->writing_.size() == kFrameOverhead;
    const auto written = co_await self->transport_.write(self->writing_);
    self->writing_.clear();
    if (self->writing_.capacity() > kIdleBufferMax) self->writing_.shrink_to_fit();
    if (!written) {
      self->fail(self->link_lost(written.error()));
      break;
    }
    if (is_heartbeat) continue;  // the timer sends it; it shows no progress
    for (const auto& [number, channel] : self->channels_) {
      if (channel != nullptr) channel->on_progress();
    }
  }
  self->farewell_.cancel();
  self->transport_.close();
}

Task<void> ConnectionImpl::heartbeat_loop(std::shared_ptr<ConnectionImpl> self) {
  const auto half = std::chrono::milliseconds(self->heartbeat_) / 2;
  while (!self->failure_) {
    co_await self->beat_.wait_until(Clock::now() + half);
    if (self->failure_) co_return;
    if (self->unwritten_bytes() == 0) {  // else there is traffic, or the peer does not read
      append_heartbeat(self->out_);
      self->writable_.notify();
    }
    // Counts beats, not seconds: after a pause of this process, or of its reading, what the peer
    // has sent is still to be read.
    self->silent_beats_ = self->is_reading_ ? self->silent_beats_ + 1 : 0;
    if (self->silent_beats_ > kSilentBeatsMax) {
      self->fail(
          self->link_lost(fmt::format("no heartbeat for {} s", 2 * self->heartbeat_.count())));
    }
  }
}

void ConnectionImpl::handle_frames() {
  while (!failure_) {
    const auto frame = reader_.next();
    if (!frame) return fail(link_lost(frame.error()));
    const std::optional<Frame>& whole = *frame;
    if (!whole) return;
    const auto handled = handle(*whole);
    if (!handled) return fail(link_lost(handled.error()));
  }
}

ConnectionImpl::Handled ConnectionImpl::handle(const Frame& frame) {
  if (frame.channel == 0) {
    if (frame.type == FrameType::heartbeat) return {};
    if (frame.type != FrameType::method)
      return Failure("unexpected frame 505: content on channel 0");
    auto method = decoder_.method(frame.payload);
    if (!method) return Failure(method.error());
    return handle_connection_method(std::move(*method));
  }
  if (is_closing_) return {};
  const auto found = channels_.find(frame.channel);
  if (found == channels_.end()) {
    return Failure(
        fmt::format("channel error 504: frame on channel {}, which is not open", frame.channel));
  }
  if (found->second == nullptr) return handle_released(frame);
  Channel& channel = *found->second;
  switch (frame.type) {
    case FrameType::method: {
      auto method = decoder_.method(frame.payload);
      if (!method) return Failure(method.error());
      return channel.handle(std::move(*method));
    }
    case FrameType::header: {
      auto header = decode_content_header(frame.payload, frame.size);
      if (!header) return Failure(header.error());
      return channel.handle(std::move(*header), frame.payload.size());
    }
    case FrameType::body:
      return channel.handle(frame.payload);
    case FrameType::heartbeat:
      break;
  }
  return Failure("command invalid 503: heartbeat on a channel");
}

// After channel.close, everything is skipped except close-ok, and close if both sides sent it at
// once (AMQP 0-9-1, 1.5.2.5).
ConnectionImpl::Handled ConnectionImpl::handle_released(const Frame& frame) {
  if (frame.type != FrameType::method) return {};
  const auto method = decoder_.method(frame.payload);
  if (!method) return Failure(method.error());
  if (std::holds_alternative<method::ChannelCloseOk>(*method)) channels_.erase(frame.channel);
  if (std::holds_alternative<method::ChannelClose>(*method)) {
    send(frame.channel, method::ChannelCloseOk{});
  }
  return {};
}

ConnectionImpl::Handled ConnectionImpl::handle_connection_method(method::Incoming method) {
  if (const auto* close = std::get_if<method::ConnectionClose>(&method)) {
    on_connection_close(*close);
  } else if (auto* blocked = std::get_if<method::ConnectionBlocked>(&method)) {
    set_blocked(std::move(blocked->reason));
  } else if (std::holds_alternative<method::ConnectionUnblocked>(method)) {
    set_blocked({});
  } else if (!call_.offer(method)) {
    return Failure(
        fmt::format("command invalid 503: {} when it was not expected", method::name(method)));
  }
  return {};
}

void ConnectionImpl::on_connection_close(const method::ConnectionClose& close) {
  Error error = link_lost(
      fmt::format("the broker closed the connection: {} {}", close.reply_code, close.reply_text));
  error.reply_code = close.reply_code;
  // A broker that shuts down (320) does not refuse this client in particular.
  if (!is_open_ && close.reply_code != kConnectionForced) error.fault = Fault::refused;
  // From now on only close-ok is written, after a write that may be in progress.
  out_.clear();
  append(out_, 0, method::ConnectionCloseOk{});
  has_farewell_ = true;
  farewell_.expires_after(kFarewellTimeout);
  farewell_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled) self->transport_.close();
  });
  fail(std::move(error));
}

void ConnectionImpl::set_blocked(std::optional<std::string> reason) {
  blocked_ = std::move(reason);
  for (const auto& [number, channel] : channels_) {
    if (channel != nullptr) channel->on_progress();
  }
  if (options_.on_blocked) options_.on_blocked(blocked_);
}

Task<void> ConnectionImpl::close() {
  if (failure_ || is_closing_) co_return;
  const auto self = shared_from_this();
  const PendingCall pending(*this);
  is_closing_ = true;
  call_.expect<method::ConnectionCloseOk>();
  send(0, method::ConnectionClose{.reply_code = kReplySuccess, .reply_text = "goodbye"});
  co_await call_.wait_until(Clock::now() + options_.call_timeout);
  fail(link_lost("the connection was closed"));
}

}  // namespace amqp
