#include "amqp/channel.h"

#include <algorithm>

namespace amqp {
namespace {

// The memory reserved before any byte of a body has arrived. Larger bodies grow as they arrive: a
// header that announces 512 MiB does not cost that much.
constexpr std::uint64_t kBodyReserveMax = std::uint64_t{1} << 20;

}  // namespace

Channel::Channel(std::shared_ptr<ConnectionImpl> connection, std::string what)
    : connection_(std::move(connection)), what_(std::move(what)), call_(connection_->executor()) {}

Channel::~Channel() {
  if (state_ == State::attached) release(true);
}

Task<Result<void>> Channel::open() {
  const auto number = connection_->attach(*this);
  if (!number) {
    over(number.error());
    co_return std::unexpected(number.error());
  }
  number_ = *number;
  state_ = State::attached;
  const auto opened = co_await call<method::ChannelOpenOk>(method::ChannelOpen{});
  if (!opened) co_return std::unexpected(opened.error());
  co_return Result<void>();
}

Task<Result<void>> Channel::close() {
  const auto closed = co_await call<method::ChannelCloseOk>(
      method::ChannelClose{.reply_code = kReplySuccess, .reply_text = ""});
  if (!closed) co_return std::unexpected(closed.error());
  release(false);
  over({.fault = Fault::stopping, .what = fmt::format("{}: closed", what_), .reply_code = 0});
  co_return Result<void>();
}

void Channel::end(Error error) {
  if (state_ == State::attached) release(true);
  over(std::move(error));
}

void Channel::release(bool expects_close_ok) {
  state_ = State::released;
  if (expects_close_ok) {
    connection_->send(number_, method::ChannelClose{.reply_code = kReplySuccess, .reply_text = ""});
  }
  connection_->release(number_, expects_close_ok);
}

void Channel::over(Error error) {
  if (failure_) return;
  failure_ = std::move(error);
  content_.reset();
  call_.give_up();
  on_over();
}

Error Channel::refused(std::string_view what, std::uint16_t reply_code) const {
  return {.fault = Fault::refused,
          .what = fmt::format("{}: {}", what_, what),
          .reply_code = reply_code};
}

void Channel::on_connection_failed(const Error& error) {
  state_ = State::released;
  over(error);
}

Channel::Handled Channel::handle(method::Incoming method) {
  if (const auto* close = std::get_if<method::ChannelClose>(&method)) {
    connection_->send(number_, method::ChannelCloseOk{});
    release(false);
    over(refused(close->reply_text, close->reply_code));
    return {};
  }
  if (content_) {
    return std::unexpected(
        fmt::format("unexpected frame 505: {} inside a content", method::name(method)));
  }
  if (call_.offer(method)) return {};
  if (!on_method(method)) {
    return std::unexpected(
        fmt::format("command invalid 503: {} when it was not expected", method::name(method)));
  }
  if (const auto* deliver = std::get_if<method::BasicDeliver>(&method)) {
    content_.emplace(Content{.method = *deliver, .properties = {}, .body = {}});
  } else if (const auto* fetched = std::get_if<method::BasicGetOk>(&method)) {
    content_.emplace(Content{.method = *fetched, .properties = {}, .body = {}});
  } else if (auto* returned = std::get_if<method::BasicReturn>(&method)) {
    content_.emplace(Content{.method = std::move(*returned), .properties = {}, .body = {}});
  }
  has_header_ = false;
  return {};
}

Channel::Handled Channel::handle(ContentHeader header, std::size_t size) {
  if (!content_ || has_header_) {
    return std::unexpected("unexpected frame 505: content header without a method before it");
  }
  if (header.body_size > connection_->options().body_bytes_max) {
    return std::unexpected(fmt::format("a body of {} bytes where at most {} are taken",
                                       header.body_size, connection_->options().body_bytes_max));
  }
  has_header_ = true;
  body_missing_ = header.body_size;
  content_->properties = std::move(header.properties);
  content_->undecodable = std::move(header.undecodable);
  content_->size = size + header.body_size;
  if (!std::holds_alternative<method::BasicReturn>(content_->method)) {
    content_->body.reserve(std::min(header.body_size, kBodyReserveMax));
  }
  return finish_content_if_complete();
}

Channel::Handled Channel::handle(std::span<const char> body) {
  if (!content_ || !has_header_) {
    return std::unexpected("unexpected frame 505: body without a content header before it");
  }
  if (body.size() > body_missing_) {
    return std::unexpected("frame error 501: body longer than its content header says");
  }
  body_missing_ -= body.size();
  if (!std::holds_alternative<method::BasicReturn>(content_->method)) {
    content_->body.append(body.data(), body.size());
  }
  return finish_content_if_complete();
}

Channel::Handled Channel::finish_content_if_complete() {
  if (!content_ || body_missing_ > 0) return {};
  Content content = std::move(*content_);
  content_.reset();
  on_content(std::move(content));
  return {};
}

}  // namespace amqp
