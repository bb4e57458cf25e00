#include "ops/http_listener.h"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

namespace inventory::ops {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr seconds kDeadline{20};
constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr const char* kGetAndClose =
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

Task<HttpResponse> wait_for_ever(HttpRequest) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  boost::asio::steady_timer::time_point::max());
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return HttpResponse{};
}

HttpResponse throw_something(const HttpRequest&) { throw std::runtime_error("a bug of the test"); }

// Listener and clients on one event loop: while a test waits for something, all go on.
class HttpListenerTest : public ::testing::Test {
 public:
  ~HttpListenerTest() override {
    if (listener_) {
      stop();
    }
  }

 protected:
  void start(HttpLimits limits = {}, std::uint16_t port = 0, std::string host = "127.0.0.1") {
    std::vector<HttpRoute> routes{
        {"/", immediately([](const HttpRequest&) { return HttpResponse{.body = "hello\n"}; })},
        {"/slow", wait_for_ever},
        {"/health", immediately([](const HttpRequest&) { return HttpResponse{.body = "fine\n"}; }),
         true},
        {"/bug", immediately(throw_something)}};
    std::swap(routes.front(), routes.back());  // "/" fits everything
    listener_.emplace(context_.get_executor(), HttpAddress{std::move(host), port},
                      std::move(routes), HttpAccess{.hosts = {"shop.example"}, .token = token_},
                      limits);
    ended_ = false;
    boost::asio::co_spawn(context_, listener_->run(), [this](const std::exception_ptr& error) {
      ended_ = true;
      EXPECT_EQ(error, nullptr);
    });
  }

  void start_and_wait(HttpLimits limits = {}) {
    start(limits);
    run_until([this] { return listener_->port() != 0; });
  }

  void stop() {
    listener_->stop();
    run_until([this] { return ended_; });
    listener_.reset();
  }

  void run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    context_.restart();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      context_.run_one_for(milliseconds(100));
      if (context_.stopped()) context_.restart();
    }
  }

  // A client that reads all that comes.
  class Client : public std::enable_shared_from_this<Client> {
   public:
    Client(HttpListenerTest& test, std::uint16_t port) : test_(test), socket_(test.context_) {
      socket_.connect({boost::asio::ip::address_v4::loopback(), port});
    }
    void read() {
      socket_.async_read_some(boost::asio::buffer(piece_),
                              [self = shared_from_this()](error_code error, std::size_t size) {
                                self->received_.append(self->piece_.data(), size);
                                self->ended_ = error.failed();
                                if (!error) self->read();
                              });
    }
    void send(std::string text) {
      sent_ = std::move(text);
      boost::asio::async_write(socket_, boost::asio::buffer(sent_),
                               [self = shared_from_this()](error_code, std::size_t) {});
    }
    const std::string& receive_to_end() {
      test_.run_until([this] { return ended_; });
      return received_;
    }
    void wait_for(std::string_view text, int times = 1) {
      test_.run_until([&] {
        int found = 0;
        for (auto at = received_.find(text); at != std::string::npos;
             at = received_.find(text, at + 1)) {
          ++found;
        }
        return found >= times || ended_;
      });
      EXPECT_THAT(received_, HasSubstr(std::string(text)));
    }
    bool ended() const { return ended_; }

   private:
    HttpListenerTest& test_;
    tcp::socket socket_;
    std::array<char, 4096> piece_{};
    std::string sent_;
    std::string received_;
    bool ended_ = false;
  };

  std::shared_ptr<Client> connect() {
    auto client = std::make_shared<Client>(*this, listener_->port());
    client->read();
    return client;
  }

  // Everything that comes until the server closes the connection.
  std::string exchange(std::string request) {
    const auto client = connect();
    client->send(std::move(request));
    return client->receive_to_end();
  }

  boost::asio::io_context context_{1};
  std::string token_;  // that the listener asks for
  std::optional<HttpListener> listener_;
  bool ended_ = false;
};

TEST_F(HttpListenerTest, AnswersAndClosesWhereTheClientWantsThat) {
  start_and_wait();
  const auto answer = exchange(kGetAndClose);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 6\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nhello\n"));
  EXPECT_THAT(exchange("GET / HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\nhello\n"));
}

TEST_F(HttpListenerTest, AnswersHeadAsGetButWithoutTheBody) {
  start_and_wait();
  const auto answer = exchange("HEAD / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 6\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpListenerTest, AnswersOneAfterTheOtherOnOneConnection) {
  start_and_wait();
  const auto client = connect();
  client->send(kGet);
  client->wait_for("hello");
  client->send(std::string(kGet) + kGet + kGet);
  client->wait_for("hello", 4);
  EXPECT_FALSE(client->ended());
}

TEST_F(HttpListenerTest, RefusesWhatIsWrongAndClosesTheConnection) {
  start_and_wait();
  const std::string large(10'000, 'x');
  const std::pair<std::string, const char*> cases[] = {
      {"\x16\x03\x01\x02", "400"},  // TLS
      {"GET /\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},  // no host
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "400"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"GET /" + large + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + large + "\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n" + large, "413"},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", "413"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n" + large,
       "413"},
  };
  for (const auto& [request, status] : cases) {
    const auto answer = exchange(request);
    EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + status)) << request.substr(0, 100);
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  }
}

TEST_F(HttpListenerTest, KeepsTheConnectionAfterAMethodThatIsNotAllowed) {
  start_and_wait();
  const auto client = connect();
  client->send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  client->wait_for("\r\nAllow: GET, HEAD\r\n");
  client->send(kGet);
  client->wait_for("hello");
}

TEST_F(HttpListenerTest, Answers408WhereARequestDoesNotComeToItsEnd) {
  start_and_wait({.request = milliseconds(20)});
  EXPECT_THAT(exchange("GET / HT"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx"),
              StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpListenerTest, ClosesAConnectionWithoutAWordWhenItWasIdleForLong) {
  start_and_wait({.idle = milliseconds(20)});
  EXPECT_EQ(exchange(""), "");
  const auto answer = exchange(kGet);
  EXPECT_THAT(answer, EndsWith("hello\n"));
}

TEST_F(HttpListenerTest, Answers503WhereAHandlerTakesTooLong) {
  start_and_wait({.answer = milliseconds(20)});
  const auto client = connect();
  client->send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client->wait_for("HTTP/1.1 503 ");
  client->send(kGet);
  client->wait_for("hello");
}

TEST_F(HttpListenerTest, Answers500WhereAHandlerThrows) {
  start_and_wait();
  const auto answer = exchange("GET /bug HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.0 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("a bug of the test")));
}

TEST_F(HttpListenerTest, GivesAClientUpThatDoesNotTakeItsAnswer) {
  HttpServer server{{{"/", immediately([](const HttpRequest&) {
                        return HttpResponse{.body = std::string(64 << 20, 'x')};
                      })}},
                    {.write = milliseconds(20)},
                    HttpGuard({"127.0.0.1", 0}, {}),
                    HttpAnswers(1)};
  tcp::acceptor acceptor(context_, {boost::asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context_);
  client.connect(acceptor.local_endpoint());
  boost::asio::write(client, boost::asio::buffer(std::string(kGet)));
  const auto session = std::make_shared<HttpSession>(acceptor.accept(), server);
  bool ended = false;
  boost::asio::co_spawn(context_, session->run(), [&](const std::exception_ptr&) { ended = true; });
  run_until([&] { return ended; });
}

TEST_F(HttpListenerTest, CutsOffWhoTakesAnAnswerForLongestWhereAllAreTooMuch) {
  HttpServer server{{{"/", immediately([](const HttpRequest&) {
                        return HttpResponse{.body = std::string(64 << 20, 'x')};
                      })}},
                    {},
                    HttpGuard({"127.0.0.1", 0}, {}),
                    HttpAnswers(150 << 20)};
  tcp::acceptor acceptor(context_, {boost::asio::ip::address_v4::loopback(), 0});
  std::vector<tcp::socket> clients;
  std::vector<std::shared_ptr<HttpSession>> sessions;
  std::vector<std::size_t> ended;
  for (std::size_t i = 0; i < 3; ++i) {
    clients.emplace_back(context_).connect(acceptor.local_endpoint());
    sessions.push_back(std::make_shared<HttpSession>(acceptor.accept(), server));
    boost::asio::co_spawn(context_, sessions[i]->run(),
                          [&, i](const std::exception_ptr&) { ended.push_back(i); });
    boost::asio::write(clients[i], boost::asio::buffer(std::string(kGet)));
    std::array<char, 1> begin{};  // it is being written
    bool is_read = false;
    boost::asio::async_read(clients[i], boost::asio::buffer(begin),
                            [&](error_code, std::size_t) { is_read = true; });
    run_until([&] { return is_read; });
  }
  run_until([&] { return !ended.empty(); });
  EXPECT_EQ(ended, std::vector<std::size_t>{0});
  for (const auto& session : sessions) session->close();
  run_until([&] { return ended.size() == 3; });
}

TEST_F(HttpListenerTest, AnswersNobodyWhoAsksForAnotherHost) {
  start_and_wait();
  for (const auto* request :
       {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n",
        "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    const auto answer = exchange(request);
    EXPECT_THAT(answer, HasSubstr(" 421 ")) << request;
    EXPECT_THAT(answer, Not(HasSubstr("hello"))) << request;
  }
  for (const auto* request :
       {"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n",
        "GET http://localhost:9/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"}) {
    EXPECT_THAT(exchange(request), EndsWith("hello\n")) << request;
  }
}

TEST_F(HttpListenerTest, AnswersWhoAsksTheNetworksNameForAPublicPageAlone) {
  start({}, 0, "0.0.0.0");
  run_until([this] { return listener_->port() != 0; });
  const std::string rest = " HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
  EXPECT_THAT(exchange("GET /health" + rest), EndsWith("fine\n"));
  EXPECT_THAT(exchange("GET /" + rest), StartsWith("HTTP/1.1 421 "));
}

TEST_F(HttpListenerTest, AsksForATokenAndKeepsTheConnection) {
  token_ = "s3cret";
  start_and_wait();
  const auto client = connect();
  client->send(kGet);
  client->wait_for("HTTP/1.1 401 ");
  client->wait_for(
      "\r\nWWW-Authenticate: Basic realm=\"inventory-service\", charset=\"UTF-8\"\r\n");
  client->send("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret\r\n\r\n");
  client->wait_for("hello");
  EXPECT_THAT(exchange("HEAD / HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.0 401 "), EndsWith("\r\n\r\n")));
  EXPECT_THAT(exchange("GET / HTTP/1.0\r\nAuthorization: Bearer s3cret\r\n"
                       "Authorization: Bearer s3cret\r\n\r\n"),
              StartsWith("HTTP/1.0 401 "));
  EXPECT_THAT(exchange("GET /health HTTP/1.0\r\n\r\n"), EndsWith("fine\n"));
}

TEST_F(HttpListenerTest, TellsBrowsersWhatAPageMayDoWithEveryAnswer) {
  start_and_wait();
  for (const auto* request : {"GET / HTTP/1.0\r\n\r\n", "POST / HTTP/1.0\r\n\r\n",
                              "GET /bug HTTP/1.0\r\n\r\n", "no HTTP\r\n\r\n"}) {
    const auto answer = exchange(request);
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Security-Policy: default-src 'none'; script-src "
                                  "'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                                  "base-uri 'none'; form-action 'none'; frame-ancestors "
                                  "'none'\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nX-Frame-Options: DENY\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nReferrer-Policy: no-referrer\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nCross-Origin-Resource-Policy: same-origin\r\n"));
  }
}

TEST_F(HttpListenerTest, LetsANewConnectionTakeThePlaceOfTheOldest) {
  start_and_wait({.connections_max = 2});
  const auto first = connect();
  const auto second = connect();
  second->send(kGet);
  second->wait_for("hello");
  EXPECT_FALSE(first->ended());
  EXPECT_THAT(exchange(kGetAndClose), EndsWith("hello\n"));
  EXPECT_EQ(first->receive_to_end(), "");
  second->send(kGet);
  second->wait_for("hello", 2);
}

TEST_F(HttpListenerTest, TriesAgainWhereAnAddressIsTaken) {
  tcp::acceptor other(context_, {boost::asio::ip::address_v4::loopback(), 0});
  start({}, other.local_endpoint().port());
  const auto port = other.local_endpoint().port();
  context_.run_for(milliseconds(50));
  EXPECT_EQ(listener_->port(), 0);
  other.close();
  run_until([&] { return listener_->port() == port; });
  EXPECT_THAT(exchange(kGetAndClose), EndsWith("hello\n"));
}

TEST_F(HttpListenerTest, CanBeStoppedWhileItsAddressIsTaken) {
  const tcp::acceptor other(context_, {boost::asio::ip::address_v4::loopback(), 0});
  start({}, other.local_endpoint().port());
  context_.run_for(milliseconds(50));
  stop();
}

TEST_F(HttpListenerTest, EndsIdleConnectionsAtOnceAndOthersAfterTheirAnswerWhenItStops) {
  start_and_wait({.answer = milliseconds(200)});
  const auto idle = connect();
  const auto asking = connect();
  idle->send(kGet);
  idle->wait_for("hello");
  asking->send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  context_.run_for(milliseconds(20));
  stop();
  EXPECT_THAT(asking->receive_to_end(), StartsWith("HTTP/1.1 503 "));
  idle->receive_to_end();
}

TEST_F(HttpListenerTest, StopsWithinASecondWhateverClientsDo) {
  start_and_wait({.answer = std::chrono::hours(1)});
  const auto asking = connect();
  asking->send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  context_.run_for(milliseconds(20));
  stop();
}

}  // namespace
}  // namespace inventory::ops
