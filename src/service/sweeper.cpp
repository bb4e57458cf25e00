#include "service/sweeper.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include "contract/expiry_message.h"

namespace inventory::service {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

constexpr std::chrono::seconds kAskAgainFirst{30};
constexpr std::chrono::seconds kAskAgainLast{3'600};
constexpr std::chrono::seconds kConfirmMax{30};
constexpr std::size_t kHoldsRememberedMax = 100'000;

std::size_t hash_of_hold(const domain::Hold& hold) {
  const auto& [product, identity] = hold.key;
  const std::size_t hash = std::hash<std::string>()(identity);
  return hash ^ (std::hash<domain::ProductId>()(product) + (hash << 6) + (hash >> 2));
}

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
  if (!after_) {
    awaited_ = 0;
    awaited_of_.clear();
  }
  // It changes nothing, so stop() need not wait for it.
  const auto looked = co_await (store_.due_holds(after_, options_.page) || pause_.stopped());
  if (pause_.is_stopping()) co_return false;
  const auto& due = std::get<0>(looked);
  if (!due) {
    fail("database", "holds that are over cannot be looked for: " + due.error().what);
    has_outage_ = due.error().fault == store::Fault::link_lost ||
                  due.error().fault == store::Fault::unavailable;
    co_return false;
  }
  const auto holds = to_ask(*due);
  if (!holds.empty()) {
    const bool is_published = co_await publish(holds);
    if (!is_published) co_return false;  // then the same page again
    remember(holds);
  }
  trouble_.reset();
  problem_.clear();
  has_outage_ = false;
  const bool has_seen_all = due->size() < options_.page;
  const bool has_more = !has_seen_all && awaited_ < options_.awaited_max;
  if (!has_more) end_pass(has_seen_all ? domain::Timestamp::max() : due->back().expires_at);
  // Else start over: a hold may appear late, before others already seen, if its transaction took
  // longer than the hold.
  after_ = has_more ? std::optional(due->back()) : std::nullopt;
  co_return has_more;
}

std::vector<domain::Hold> Sweeper::to_ask(const std::vector<domain::Hold>& due) {
  const auto now = clock_.steady_now();
  std::vector<domain::Hold> holds;
  for (const domain::Hold& hold : due) {
    const auto asked = asked_.find(hash_of_hold(hold));
    const bool is_asked = asked != asked_.end();
    if (is_asked) asked->second.seen_in = pass_;
    const bool is_awaited = !is_asked || asked->second.pause == kAskAgainFirst;
    if (is_awaited) {
      std::size_t& of_product = awaited_of_[hold.key.first];
      if (!is_asked && of_product >= options_.awaited_max / 4) continue;
      ++of_product;
      ++awaited_;
    }
    if (!is_asked || asked->second.again_at <= now) holds.push_back(hold);
  }
  return holds;
}

void Sweeper::remember(const std::vector<domain::Hold>& asked) {
  const auto now = clock_.steady_now();
  for (const domain::Hold& hold : asked) {
    const auto [known, is_new] = asked_.try_emplace(hash_of_hold(hold));
    Asked& one = known->second;
    one.pause = is_new ? kAskAgainFirst : std::min(2 * one.pause, kAskAgainLast);
    one.again_at = now + one.pause;
    one.expires_at = hold.expires_at;
    one.seen_in = pass_;
  }
}

// This pass has seen all holds that were due before then: those asked for that it has not seen were
// given back.
void Sweeper::end_pass(domain::Timestamp seen_before) {
  std::erase_if(asked_, [&](const auto& one) {
    return one.second.seen_in != pass_ && one.second.expires_at < seen_before;
  });
  ++pass_;
  if (asked_.size() > kHoldsRememberedMax) asked_.clear();  // asking again costs a message each
}

void Sweeper::fail(std::string_view about, std::string problem) {
  problem_ = std::move(problem);
  has_outage_ = false;
  trouble_.warn(about, fmt::format("{}: {}", options_.queue, problem_));
}

// Returns whether all were confirmed.
Task<bool> Sweeper::publish(const std::vector<domain::Hold>& holds) {
  if (lost_) co_await close();  // lost while nothing was under way
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
  if (is_done) co_return true;
  if (!pause_.is_stopping()) {
    fail("broker", fmt::format("holds that are over cannot be given back: {}",
                               lost_          ? *lost_
                               : !sent        ? sent.error().what
                               : is_rejected_ ? "the queue does not take the requests"
                                              : "the broker does not answer"));
  }
  co_await close();
  co_return false;
}

Task<bool> Sweeper::open() {
  auto link = co_await broker_.open();
  if (link) {
    link_ = std::move(*link);
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
  fail("broker", "holds that are over cannot be given back: " + link.error().what);
  co_return false;
}

Task<void> Sweeper::close() {
  if (outlet_) co_await outlet_->close();
  outlet_.reset();
  lost_.reset();
  under_way_.clear();
  if (link_) co_await link_->close();
  link_.reset();
}

}  // namespace inventory::service
