#include "amqp/transport.h"

#include <memory>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "amqp/signal.h"

namespace amqp {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Failure = std::unexpected<std::string>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct LookUp {
  explicit LookUp(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}

  Tcp::resolver resolver;
  Signal done;
  bool is_done = false;
  error_code error;
  Tcp::resolver::results_type results;
};

// getaddrinfo cannot be cancelled: Asio runs it in a thread and completes only when it returns. So
// the look-up shares its state with that completion, and may be abandoned.
Task<std::expected<Tcp::resolver::results_type, error_code>> resolve(Host host) {
  auto look_up = std::make_shared<LookUp>(co_await asio::this_coro::executor);
  look_up->resolver.async_resolve(
      host.name, std::to_string(host.port), Tcp::resolver::numeric_service,
      [look_up](const error_code& error, Tcp::resolver::results_type results) {
        look_up->error = error;
        look_up->results = std::move(results);
        look_up->is_done = true;
        look_up->done.notify();
      });
  while (!look_up->is_done) co_await look_up->done.wait();
  if (look_up->error) co_return std::unexpected(look_up->error);
  co_return std::move(look_up->results);
}

std::expected<void, std::string> configure(asio::ssl::context& context, const TlsOptions& options) {
  error_code error;
  context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  if (error) return Failure("TLS cannot be set up: " + error.message());
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(error);
    if (error) return Failure("the system's CA certificates cannot be used: " + error.message());
  } else {
    context.load_verify_file(options.ca_file, error);
    if (error) return Failure(options.ca_file + " cannot be used: " + error.message());
  }
  if (!options.certificate_file.empty()) {
    context.use_certificate_chain_file(options.certificate_file, error);
    if (error) return Failure(options.certificate_file + " cannot be used: " + error.message());
  }
  if (!options.key_file.empty()) {
    context.use_private_key_file(options.key_file, asio::ssl::context::pem, error);
    if (error) return Failure(options.key_file + " cannot be used: " + error.message());
  }
  return {};
}

// Requires a certificate for this name or address. OpenSSL itself checks it, so that it can say
// what is wrong.
bool expect_peer(SSL* tls, const std::string& host_name) {
  error_code is_name;
  asio::ip::make_address(host_name, is_name);
  if (!is_name) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host_name.c_str()) == 1;
  SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // Server Name Indication is for names only (RFC 6066, 3).
  return SSL_set1_host(tls, host_name.c_str()) == 1 &&
         SSL_set_tlsext_host_name(tls, host_name.c_str()) == 1;
}

}  // namespace

Task<std::expected<void, std::string>> Transport::connect(Host host, std::optional<TlsOptions> tls,
                                                          std::chrono::milliseconds timeout) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer deadline(co_await asio::this_coro::executor, timeout);
  auto outcome =
      co_await (connect_tcp(host, std::move(tls)) || deadline.async_wait(asio::use_awaitable));
  if (outcome.index() == 1) {
    co_return Failure(fmt::format("no connection within {} ms", timeout.count()));
  }
  co_return std::get<0>(std::move(outcome));
}

Task<std::expected<void, std::string>> Transport::connect_tcp(Host host,
                                                              std::optional<TlsOptions> tls) {
  const auto addresses = co_await resolve(host);
  if (!addresses) co_return Failure("host not found: " + addresses.error().message());
  const auto [error, endpoint] = co_await asio::async_connect(socket_, *addresses, kAsTuple);
  if (error) co_return Failure("cannot connect: " + error.message());
  error_code ignored;  // without the option the socket still works, only with more delay
  socket_.set_option(Tcp::no_delay(true), ignored);
  if (tls) co_return co_await start_tls(std::move(host.name), std::move(*tls));
  co_return std::expected<void, std::string>();
}

Task<std::expected<void, std::string>> Transport::start_tls(std::string host_name,
                                                            TlsOptions options) {
  tls_context_.emplace(asio::ssl::context::tls_client);
  auto configured = configure(*tls_context_, options);
  if (!configured) co_return configured;
  tls_.emplace(socket_, *tls_context_);
  error_code error;
  tls_->set_verify_mode(asio::ssl::verify_peer, error);
  if (error || !expect_peer(tls_->native_handle(), host_name)) {
    co_return Failure("TLS cannot be set up for this host name");
  }
  const auto [failed] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (failed) {
    const long why = SSL_get_verify_result(tls_->native_handle());
    co_return Failure(why == X509_V_OK ? "TLS handshake failed: " + failed.message()
                                       : fmt::format("the peer's certificate is refused: {}",
                                                     X509_verify_cert_error_string(why)));
  }
  co_return std::expected<void, std::string>();
}

Task<std::expected<std::size_t, std::string>> Transport::read_some(std::span<char> buffer) {
  const auto target = asio::buffer(buffer.data(), buffer.size());
  std::tuple<error_code, std::size_t> outcome;
  if (tls_) {
    outcome = co_await tls_->async_read_some(target, kAsTuple);
  } else {
    outcome = co_await socket_.async_read_some(target, kAsTuple);
  }
  const auto [error, size] = outcome;
  if (error == asio::error::eof) co_return Failure("the peer closed the connection");
  if (error) co_return Failure("cannot read: " + error.message());
  co_return size;
}

Task<std::expected<void, std::string>> Transport::write(std::string_view bytes) {
  const auto source = asio::buffer(bytes.data(), bytes.size());
  std::tuple<error_code, std::size_t> outcome;
  if (tls_) {
    outcome = co_await asio::async_write(*tls_, source, kAsTuple);
  } else {
    outcome = co_await asio::async_write(socket_, source, kAsTuple);
  }
  const auto [error, size] = outcome;
  if (error) co_return Failure("cannot write: " + error.message());
  co_return std::expected<void, std::string>();
}

void Transport::close() {
  error_code ignored;  // it is closed in any case
  socket_.close(ignored);
}

}  // namespace amqp
