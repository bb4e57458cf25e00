#include "faults/link_gate.h"

#include <algorithm>
#include <array>
#include <exception>
#include <list>
#include <span>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace faults {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Task = asio::awaitable<void>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Long enough for a receiver on the same event loop to read what was just sent.
Task pause() {
  for (int turn = 0; turn < 4; ++turn) co_await asio::post(asio::use_awaitable);
}

void rethrow(const std::exception_ptr& thrown) {
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

struct LinkGate::State {
  State(const asio::any_io_executor& executor, Tcp::endpoint to)
      : acceptor(executor, {asio::ip::address_v4::loopback(), 0}), server(std::move(to)) {}

  struct Link {
    explicit Link(Tcp::socket accepted)
        : client(std::move(accepted)), server(client.get_executor()) {}
    Tcp::socket client;
    Tcp::socket server;
  };
  using LinkHandle = std::shared_ptr<Link>;

  struct Direction {
    Tcp::socket Link::* from;
    Tcp::socket Link::* to;
    Faults faults{};
    std::size_t passed = 0;
  };

  static Task accept_links(std::shared_ptr<State> self);
  static Task forward(std::shared_ptr<State> self, LinkHandle link, Direction& direction);
  static Task pass(std::shared_ptr<State> self, LinkHandle link, Direction& direction,
                   std::span<char> bytes);
  void cut_now();
  bool cut_if_due(const Direction& direction);

  Tcp::acceptor acceptor;
  Tcp::endpoint server;
  Direction to_client{.from = &Link::server, .to = &Link::client};
  Direction to_server{.from = &Link::client, .to = &Link::server};
  Cut kind = Cut::reset;
  bool has_cut = false;
  std::list<std::weak_ptr<Link>> links;
};

Task LinkGate::State::accept_links(std::shared_ptr<State> self) {
  for (;;) {
    auto [error, client] = co_await self->acceptor.async_accept(kAsTuple);
    if (error) co_return;
    const auto link = std::make_shared<Link>(std::move(client));
    const auto [failed] = co_await link->server.async_connect(self->server, kAsTuple);
    if (failed) continue;
    link->client.set_option(Tcp::no_delay(true));
    link->server.set_option(Tcp::no_delay(true));
    self->links.remove_if([](const auto& other) { return other.expired(); });
    self->links.push_back(link);
    if (self->cut_if_due(self->to_client) || self->cut_if_due(self->to_server)) continue;
    const auto executor = self->acceptor.get_executor();
    asio::co_spawn(executor, forward(self, link, self->to_client), &rethrow);
    asio::co_spawn(executor, forward(self, link, self->to_server), &rethrow);
  }
}

Task LinkGate::State::forward(std::shared_ptr<State> self, LinkHandle link, Direction& direction) {
  std::array<char, 16'384> buffer;
  for (;;) {
    const auto [error, size] =
        co_await ((*link).*direction.from).async_read_some(asio::buffer(buffer), kAsTuple);
    if (error) break;
    co_await pass(self, link, direction, std::span(buffer).first(size));
  }
  boost::system::error_code ignored;  // the other side may have gone first
  ((*link).*direction.to).shutdown(Tcp::socket::shutdown_send, ignored);
}

Task LinkGate::State::pass(std::shared_ptr<State> self, LinkHandle link, Direction& direction,
                           std::span<char> bytes) {
  while (!bytes.empty()) {
    const Faults& faults = direction.faults;
    const std::size_t at = direction.passed;
    std::size_t size = std::min(bytes.size(), faults.piece);
    for (const std::size_t place : {faults.cut_after, faults.split_at}) {
      if (place > at) size = std::min(size, place - at);
    }
    if (faults.flip_at >= at && faults.flip_at - at < size) {
      char& byte = bytes[faults.flip_at - at];
      byte = static_cast<char>(static_cast<std::uint8_t>(byte) ^ faults.flip);
    }
    direction.passed += size;
    const auto [error, written] = co_await asio::async_write(
        (*link).*direction.to, asio::buffer(bytes.data(), size), kAsTuple);
    if (error || self->cut_if_due(direction)) co_return;
    bytes = bytes.subspan(size);
    if (faults.piece != kNever || faults.split_at == direction.passed) co_await pause();
  }
}

bool LinkGate::State::cut_if_due(const Direction& direction) {
  if (has_cut || direction.passed < direction.faults.cut_after) return false;
  cut_now();
  return true;
}

void LinkGate::State::cut_now() {
  has_cut = true;
  for (const auto& each : std::exchange(links, {})) {
    const auto link = each.lock();
    if (!link) continue;
    boost::system::error_code ignored;  // the other side may have gone first
    for (Tcp::socket* const socket : {&link->client, &link->server}) {
      if (kind == Cut::reset) socket->set_option(asio::socket_base::linger(true, 0), ignored);
      socket->close(ignored);
    }
  }
}

LinkGate::LinkGate(const asio::any_io_executor& executor, Tcp::endpoint server)
    : state_(std::make_shared<State>(executor, std::move(server))) {
  asio::co_spawn(executor, State::accept_links(state_), &rethrow);
}

LinkGate::~LinkGate() {
  state_->acceptor.close();
  cut();
}

std::uint16_t LinkGate::port() const { return state_->acceptor.local_endpoint().port(); }

void LinkGate::arm(Faults to_client, Faults to_server, Cut cut) {
  state_->to_client.faults = to_client;
  state_->to_client.passed = 0;
  state_->to_server.faults = to_server;
  state_->to_server.passed = 0;
  state_->kind = cut;
  state_->has_cut = false;
}

void LinkGate::cut() { state_->cut_now(); }

bool LinkGate::has_cut() const { return state_->has_cut; }
std::size_t LinkGate::bytes_to_client() const { return state_->to_client.passed; }
std::size_t LinkGate::bytes_to_server() const { return state_->to_server.passed; }

}  // namespace faults
