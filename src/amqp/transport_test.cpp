#include "amqp/transport.h"

#include <cstdio>
#include <memory>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "amqp/testing/fake_broker.h"

namespace amqp {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Writes a new key and a certificate for "localhost", signed by itself, into files.
class Certificate {
 public:
  Certificate() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost"),
        &X509_EXTENSION_free);
    X509_add_ext(certificate.get(), names.get(), -1);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const File key_out(key_file.c_str());
    PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const File certificate_out(certificate_file.c_str());
    PEM_write_X509(certificate_out.get(), certificate.get());
  }

  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  ~Certificate() {
    std::remove(key_file.c_str());
    std::remove(certificate_file.c_str());
  }

  const std::string key_file = path("key");
  const std::string certificate_file = path("certificate");

 private:
  // Tests may run beside one another, each in a process of its own.
  static std::string path(const char* name) {
    return fmt::format("{}transport_test_{}_{}.pem", testing::TempDir(), getpid(), name);
  }

  class File {
   public:
    explicit File(const char* path) : file_(std::fopen(path, "w")) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { std::fclose(file_); }
    std::FILE* get() const { return file_; }

   private:
    std::FILE* file_;
  };
};

class TransportTest : public testing::Test {
 protected:
  TransportTest() {
    context_.use_certificate_chain_file(certificate_.certificate_file);
    context_.use_private_key_file(certificate_.key_file, asio::ssl::context::pem);
  }

  void run(Task<void> server, Task<void> client) {
    std::vector<Task<void>> both;
    both.push_back(std::move(server));
    both.push_back(std::move(client));
    test::run(io_, std::move(both));
  }

  Host host(std::string name) const {
    return {.name = std::move(name), .port = acceptor_.local_endpoint().port()};
  }

  const Certificate certificate_;
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_server};
  asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
};

TlsOptions trusting(std::string ca_file) {
  return {.ca_file = std::move(ca_file), .certificate_file = {}, .key_file = {}};
}

// Says hello to who gets through the handshake.
Task<void> serve(asio::ip::tcp::acceptor& acceptor, asio::ssl::context& context) {
  asio::ssl::stream<asio::ip::tcp::socket> stream(
      co_await acceptor.async_accept(asio::use_awaitable), context);
  // A client that refuses it says why, and that is what is tested.
  const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server,
                                                         asio::as_tuple(asio::use_awaitable));
  if (refused) co_return;
  co_await asio::async_write(stream, asio::buffer("hello", 5), asio::use_awaitable);
}

// `error`: a part of the error that is expected, empty for none.
Task<void> connect(Host host, TlsOptions options, std::string error) {
  Transport transport(co_await asio::this_coro::executor);
  const auto connected = co_await transport.connect(host, options, 5s);
  EXPECT_EQ(connected.has_value(), error.empty()) << connected.error();
  if (!connected) {
    EXPECT_NE(connected.error().find(error), std::string::npos) << connected.error();
    co_return;
  }
  std::array<char, 5> greeting{};
  const auto size = co_await transport.read_some(greeting);
  EXPECT_TRUE(size) << size.error();
  EXPECT_EQ(std::string(greeting.data(), greeting.size()), "hello");
}

TEST_F(TransportTest, SpeaksTlsWithAPeerThatTheCaVouchesFor) {
  run(serve(acceptor_, context_),
      connect(host("localhost"), trusting(certificate_.certificate_file), ""));
}

TEST_F(TransportTest, RefusesAPeerOfAnotherName) {
  run(serve(acceptor_, context_),
      connect(host("127.0.0.1"), trusting(certificate_.certificate_file),
              "the peer's certificate is refused: IP address mismatch"));
}

TEST_F(TransportTest, RefusesAPeerThatNoCaVouchesFor) {
  run(serve(acceptor_, context_),
      connect(host("localhost"), TlsOptions{},
              "the peer's certificate is refused: self-signed certificate"));
}

Task<void> require_a_certificate(asio::ip::tcp::acceptor& acceptor, asio::ssl::context& context,
                                 const std::string& ca_file) {
  context.load_verify_file(ca_file);
  context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  co_await serve(acceptor, context);
}

TEST_F(TransportTest, ShowsItsOwnCertificate) {
  run(require_a_certificate(acceptor_, context_, certificate_.certificate_file),
      connect(host("localhost"),
              {.ca_file = certificate_.certificate_file,
               .certificate_file = certificate_.certificate_file,
               .key_file = certificate_.key_file},
              ""));
}

Task<void> accept_only(asio::ip::tcp::acceptor& acceptor) {
  (void)co_await acceptor.async_accept(asio::use_awaitable);
}

TEST_F(TransportTest, NamesTheFileThatItCannotRead) {
  run(accept_only(acceptor_),
      connect(host("localhost"), trusting("/no/such/file"), "/no/such/file cannot be used"));
}

// Nobody accepts: the system has taken the connection, if it is made within the deadline.
Task<void> say_nothing() { co_return; }

Task<void> give_up(Host host) {
  Transport transport(co_await asio::this_coro::executor);
  const auto connected = co_await transport.connect(host, TlsOptions{}, 50ms);
  EXPECT_EQ(connected.error(), "no connection within 50 ms");
}

TEST_F(TransportTest, GivesUpOnAPeerThatDoesNotAnswerInTls) {
  run(say_nothing(), give_up(host("localhost")));
}

}  // namespace
}  // namespace amqp
