#include "service/sweeper.h"

#include <utility>

#include <fmt/format.h>

#include "contract/expiry_message.h"

namespace inventory::service {
namespace {

constexpr std::chrono::seconds kAskAgainAfter{30};
constexpr std::chrono::seconds kConfirmMax{30};
constexpr std::size_t kHoldsRememberedMax = 100'000;

amqp::Message expiry_request(const std::string& queue, const domain::Hold& hold) {
  amqp::Message message;
  message.routing_key = queue;
  message.mandatory = true;
  message.properties.content_type = "application/json";
  message.properties.delivery_mode = 2;
  message.properties.app_id = "inventory-service";
  message.body = contract::expiry_body(hold.key);
  return message;
}

}  // namespace

Task<void> Sweeper::run() {
  while (!pause_.is_stopping()) {
    const bool has_more = co_await sweep();
    if (!has_more) co_await pause_.wait(options_.interval);
  }
  co_await close();
}

void Sweeper::stop() {
  pause_.stop();
  if (outlet_) outlet_->stop_sending();
  settled_.notify();
}

Task<bool> Sweeper::sweep() {
  const auto due = co_await store_.due_holds(after_, options_.page);
  if (!due) {
    trouble_.warn("database", fmt::format("{}: holds that are over cannot be looked for: {}",
                                          options_.queue, due.error().what));
    co_return false;
  }
  const bool has_more = due->size() == options_.page;
  const auto holds = not_asked_yet(*due);
  if (!holds.empty()) {
    const bool is_published = co_await publish(holds);
    if (!is_published) co_return false;  // the same page again
    const auto now = clock_.steady_now();
    for (const domain::Hold& hold : holds) asked_.insert_or_assign(hold.key, now);
  }
  // Some may become due late, behind others: a transaction took longer than its hold.
  after_ = has_more ? std::optional(due->back()) : std::nullopt;
  co_return has_more;
}

std::vector<domain::Hold> Sweeper::not_asked_yet(const std::vector<domain::Hold>& due) {
  const auto now = clock_.steady_now();
  std::erase_if(asked_, [now](const auto& one) { return now - one.second >= kAskAgainAfter; });
  if (asked_.size() > kHoldsRememberedMax)
    asked_.clear();  // they are asked again: that costs a message each
  std::vector<domain::Hold> holds;
  for (const domain::Hold& hold : due) {
    if (!asked_.contains(hold.key)) holds.push_back(hold);
  }
  return holds;
}

// Whether all were confirmed.
Task<bool> Sweeper::publish(const std::vector<domain::Hold>& holds) {
  if (!outlet_) {
    const bool is_open = co_await open();
    if (!is_open) co_return false;
  }
  std::vector<std::uint64_t> tokens;
  tokens.reserve(holds.size());
  for (const domain::Hold& hold : holds) {
    tokens.push_back(next_token_++);
    under_way_.emplace(tokens.back(), expiry_request(options_.queue, hold));
  }
  is_rejected_ = false;
  const auto sent = co_await outlet_->send(
      tokens,
      [this](std::uint64_t token) -> const amqp::Message* { return &under_way_.at(token); });
  const auto deadline = clock_.steady_now() + kConfirmMax;
  while (sent && !lost_ && !under_way_.empty() && !pause_.is_stopping() &&
         clock_.steady_now() < deadline) {
    co_await settled_.wait(std::chrono::milliseconds(500));
  }
  const bool is_done = sent && !lost_ && !is_rejected_ && under_way_.empty();
  if (is_done) {
    trouble_.reset();
    co_return true;
  }
  trouble_.warn(
      "broker",
      fmt::format("{}: requests to give back what is held too long were not confirmed: {}",
                  options_.queue,
                  lost_          ? *lost_
                  : !sent        ? sent.error().what
                  : is_rejected_ ? "the queue does not take them"
                                 : "the broker does not answer"));
  co_await close();
  co_return false;
}

Task<bool> Sweeper::open() {
  auto link = co_await broker_.open();
  if (link) {
    link_ = std::move(*link);
    lost_.reset();
    auto outlet = co_await link_->open_outlet(
        Link::Connection::own, {.on_settled =
                                    [this](std::uint64_t token, amqp::Settlement settlement) {
                                      is_rejected_ |= settlement != amqp::Settlement::confirmed;
                                      under_way_.erase(token);
                                      if (under_way_.empty()) settled_.notify();
                                    },
                                .on_lost =
                                    [this](const amqp::Error& error) {
                                      lost_ = error.what;
                                      settled_.notify();
                                    },
                                .on_blocked = [](const auto&) {}});
    if (outlet) {
      outlet_ = std::move(*outlet);
      co_return true;
    }
    link = std::unexpected(std::move(outlet.error()));
    co_await close();
  }
  trouble_.warn("broker",
                fmt::format("{}: no link to publish over: {}", options_.queue, link.error().what));
  co_return false;
}

Task<void> Sweeper::close() {
  if (outlet_) co_await outlet_->close();
  outlet_.reset();
  under_way_.clear();
  if (link_) co_await link_->close();
  link_.reset();
}

}  // namespace inventory::service
