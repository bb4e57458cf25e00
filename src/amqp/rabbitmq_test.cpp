// Against a real RabbitMQ, where INVENTORY_TEST_AMQP_URL names one. The queues that the tests make
// have random names and are deleted in the end; nothing else on the broker is touched.
#include <cstdlib>
#include <random>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "amqp/browser.h"
#include "amqp/channel.h"
#include "amqp/connection.h"
#include "amqp/consumer.h"
#include "amqp/publisher.h"

namespace amqp {
namespace {

class RabbitMq : public testing::Test {
 protected:
  void SetUp() override {
    const char* const url = std::getenv("INVENTORY_TEST_AMQP_URL");
    if (url == nullptr) GTEST_SKIP() << "INVENTORY_TEST_AMQP_URL is not set";
    auto endpoint = parse_url(url);
    ASSERT_TRUE(endpoint) << endpoint.error();
    endpoint_ = *endpoint;
  }

  // Runs a coroutine to its end, at most a minute.
  void run(Task<void> test) {
    bool is_done = false;
    boost::asio::co_spawn(io_, std::move(test), [&](const std::exception_ptr& thrown) {
      is_done = true;
      if (thrown) std::rethrow_exception(thrown);
    });
    io_.run_for(std::chrono::minutes(1));
    EXPECT_TRUE(is_done) << "the test did not end within a minute";
  }

  boost::asio::io_context io_;
  Endpoint endpoint_;
};

Task<std::shared_ptr<Connection>> connect(Endpoint endpoint) {
  const Host host = endpoint.hosts.front();
  auto connection =
      co_await Connection::open(std::move(endpoint), host, {.name = "rabbitmq_test", .tls = {}});
  if (!connection) throw std::runtime_error(connection.error().what);
  co_return *connection;
}

std::string random_name(std::string_view prefix) {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}", prefix, random(), random());
}

struct QueueDelete {
  std::string queue;
};

bool append(std::string& out, std::uint16_t channel, const QueueDelete& remove) {
  std::string arguments(2, '\0');  // reserved
  arguments += static_cast<char>(remove.queue.size());
  arguments += remove.queue;
  arguments += '\x4';  // nowait
  char header[kFrameHeaderSize];
  write_frame_header(header, FrameType::method, channel, 4 + arguments.size());
  out.append(header, sizeof header).append("\0\x32\0\x28", 4).append(arguments) += kFrameEnd;
  return true;
}

class Deleter : public Channel {
 public:
  explicit Deleter(const Connection& connection) : Channel(connection.impl(), "deleter") {}
  void remove(const std::string& queue) { connection().send(number(), QueueDelete{queue}); }
};

Task<void> remove_queue(std::shared_ptr<Connection> connection, std::string queue) {
  Deleter deleter(*connection);
  const auto opened = co_await deleter.open();
  EXPECT_TRUE(opened);
  deleter.remove(queue);
}

std::vector<Message> messages_to(const std::string& queue, std::size_t count) {
  std::vector<Message> messages(count);
  for (std::size_t i = 0; i < count; ++i) {
    messages[i].routing_key = queue;
    messages[i].body = fmt::format("{{\"number\": {}}}", i);
    messages[i].properties.correlation_id = fmt::format("{}", i);
    messages[i].properties.headers.emplace().add_string("traceparent", "00-1-2-00");
  }
  return messages;
}

Task<void> consume_all(std::shared_ptr<Connection> connection, std::string queue,
                       std::size_t count) {
  auto consumer = co_await Consumer::open(*connection, {.queue = queue, .prefetch = 2000});
  EXPECT_TRUE(consumer) << consumer.error().what;
  std::size_t next = 0;
  while (next < count) {
    auto deliveries = co_await (*consumer)->receive(500);
    EXPECT_TRUE(deliveries) << deliveries.error().what;
    if (!deliveries) co_return;
    for (const Delivery& delivery : *deliveries) {
      EXPECT_EQ(delivery.body, fmt::format("{{\"number\": {}}}", next));
      EXPECT_EQ(delivery.properties.correlation_id, std::to_string(next));
      const auto& headers = delivery.properties.headers;
      EXPECT_TRUE(headers && headers->find_string("traceparent") == "00-1-2-00");
      ++next;
    }
    (*consumer)->acknowledge_up_to(deliveries->back().delivery_tag);
  }
  (*consumer)->stop();
}

Task<void> take_and_give(Endpoint endpoint) {
  const auto publishing = co_await connect(endpoint);
  const auto taking = co_await connect(endpoint);
  const auto queue = co_await taking->declare_reply_queue();
  EXPECT_TRUE(queue);
  auto publisher = co_await Publisher::open(*publishing, {});
  EXPECT_TRUE(publisher) << publisher.error().what;
  const auto messages = messages_to(*queue, 10'000);
  const auto settlements = co_await (*publisher)->publish(messages);
  EXPECT_TRUE(settlements) << settlements.error().what;
  EXPECT_EQ(std::set(settlements->begin(), settlements->end()), std::set{Settlement::confirmed});
  co_await consume_all(taking, *queue, messages.size());
  co_await taking->close();
  co_await publishing->close();
}

TEST_F(RabbitMq, TakesAndGivesTenThousandMessagesInOrder) { run(take_and_give(endpoint_)); }

Task<void> ensure_twice(Endpoint endpoint, std::string queue, QueueType first, QueueType second) {
  const auto connection = co_await connect(endpoint);
  for (const QueueType type : {first, second}) {
    const auto ensured = co_await connection->ensure_queue(queue, type);
    EXPECT_TRUE(ensured) << ensured.error().what;
  }
  co_await remove_queue(connection, queue);
  co_await connection->close();
}

TEST_F(RabbitMq, JoinsAQueueThatWasDeclaredWithOtherArguments) {
  run(ensure_twice(endpoint_, random_name("ensure"), QueueType::quorum, QueueType::classic));
}

TEST_F(RabbitMq, JoinsAQueueThatItMadeItself) {
  run(ensure_twice(endpoint_, random_name("ensure"), QueueType::classic, QueueType::classic));
}

// Declares a queue as another program might.
Task<void> declare_queue(std::shared_ptr<Connection> connection, method::QueueDeclare queue) {
  Channel channel(connection->impl(), "test");
  const auto opened = co_await channel.open();
  EXPECT_TRUE(opened);
  const auto declared = co_await channel.call<method::QueueDeclareOk>(std::move(queue));
  EXPECT_TRUE(declared) << declared.error().what;
}

Task<void> examine(Endpoint endpoint, std::vector<method::QueueArgument> arguments,
                   QueueTerms terms) {
  const auto connection = co_await connect(endpoint);
  const std::string queue = random_name("examined");
  co_await declare_queue(connection,
                         {.queue = queue, .durable = true, .arguments = std::move(arguments)});
  for (const QueueType expected : {QueueType::classic, QueueType::quorum}) {
    const auto found = co_await connection->examine_queue(queue, expected);
    EXPECT_TRUE(found) << found.error().what;
    EXPECT_EQ(found.value_or(QueueTerms{}).type, terms.type);
    EXPECT_EQ(found.value_or(QueueTerms{}).may_drop(), terms.may_drop());
    if (terms.type == QueueType::quorum && found) {
      EXPECT_EQ(found->delivery_limit, terms.delivery_limit);
    }
  }
  co_await remove_queue(connection, queue);
  co_await connection->close();
}

TEST_F(RabbitMq, TellsAClassicQueue) { run(examine(endpoint_, {}, {.type = QueueType::classic})); }

TEST_F(RabbitMq, TellsAClassicQueueThatHasOtherArguments) {
  run(examine(endpoint_, {{"x-queue-type", "classic"}, {"x-max-length", std::int64_t{9}}},
              {.type = QueueType::classic}));
}

TEST_F(RabbitMq, TellsTheDeliveryLimitOfAQuorumQueue) {
  run(examine(endpoint_, {{"x-queue-type", "quorum"}, {kDeliveryLimit, std::int64_t{5}}},
              {.type = QueueType::quorum, .delivery_limit = 5}));
}

TEST_F(RabbitMq, TellsTheDeliveryLimitOfAQuorumQueueThatHasOtherArguments) {
  run(examine(endpoint_,
              {{"x-queue-type", "quorum"},
               {"x-dead-letter-exchange", ""},
               {"x-dead-letter-routing-key", "a'b"},
               {kDeliveryLimit, std::int64_t{5}},
               {"x-max-length", std::int64_t{9}}},
              {.type = QueueType::quorum, .delivery_limit = 5}));
}

Task<void> examine_own(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto absent = co_await connection->examine_queue(random_name("absent"), QueueType::quorum);
  EXPECT_EQ(absent.error().reply_code, 404);
  const std::string queue = random_name("examined");
  for (const QueueType type : {QueueType::classic, QueueType::quorum}) {
    const auto ensured = co_await connection->ensure_queue(queue, type);
    EXPECT_TRUE(ensured);
    const auto found = co_await connection->examine_queue(queue, type);
    EXPECT_EQ(found, (QueueTerms{.type = type, .delivery_limit = kNoDeliveryLimit}));
    co_await remove_queue(connection, queue);
  }
  const auto exclusive = co_await connection->declare_reply_queue();
  const auto foreign = co_await connect(endpoint);
  const auto unknown = co_await foreign->examine_queue(*exclusive, QueueType::quorum);
  EXPECT_EQ(unknown, QueueTerms{});
  co_await foreign->close();
  co_await connection->close();
}

TEST_F(RabbitMq, TellsThatAQueueOfItsOwnHasNoDeliveryLimit) { run(examine_own(endpoint_)); }

Task<void> lock_and_unlock(Endpoint endpoint) {
  const auto first = co_await connect(endpoint);
  const auto second = co_await connect(endpoint);
  const std::string name = random_name("lock");
  const auto locked = co_await first->declare_exclusive_queue(name);
  EXPECT_TRUE(locked);
  const auto again = co_await first->declare_exclusive_queue(name);
  EXPECT_TRUE(again) << "it is its own";
  const auto denied = co_await second->declare_exclusive_queue(name);
  EXPECT_FALSE(denied);
  if (!denied) EXPECT_EQ(denied.error().reply_code, 405);
  const auto deleted = co_await first->delete_queue(name);
  EXPECT_TRUE(deleted);
  const auto given = co_await second->declare_exclusive_queue(name);
  EXPECT_TRUE(given);
  co_await second->close();
  const auto free = co_await first->declare_exclusive_queue(name);
  EXPECT_TRUE(free) << "it has ended with its connection";
  co_await first->close();
}

TEST_F(RabbitMq, GivesAnExclusiveQueueToOneConnectionAtATime) { run(lock_and_unlock(endpoint_)); }

// Without that, some 30 of them were removed.
Task<void> remove_many_and_leave(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const std::string queue = random_name("purged");
  const auto ensured = co_await connection->ensure_queue(queue, QueueType::quorum);
  auto publisher = co_await Publisher::open(*connection, {});
  EXPECT_TRUE(ensured && publisher);
  const auto messages = messages_to(queue, 500);
  const auto settlements = co_await (*publisher)->publish(messages);
  EXPECT_TRUE(settlements);
  auto browser = co_await Browser::open(*connection, {.queue = queue, .type = QueueType::quorum});
  std::vector<std::uint64_t> tags;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto taken = co_await (*browser)->next();
    EXPECT_TRUE(taken && *taken);
    tags.push_back((*taken)->delivery.delivery_tag);
  }
  const auto removed = co_await (*browser)->remove(tags);
  EXPECT_TRUE(removed);
  browser->reset();
  const auto left = co_await Browser::open(*connection, {.queue = queue});
  const auto none = co_await (*left)->next();
  EXPECT_TRUE(none && !*none);
  co_await remove_queue(connection, queue);
  co_await connection->close();
}

TEST_F(RabbitMq, HasRemovedFromAQuorumQueueWhenItSaysSo) { run(remove_many_and_leave(endpoint_)); }

Task<void> publish_into_the_void(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto queue = co_await connection->declare_reply_queue();
  auto publisher = co_await Publisher::open(*connection, {});
  EXPECT_TRUE(queue && publisher);
  std::vector<Message> messages(5);
  for (Message& message : messages) message.routing_key = *queue;
  messages[1].routing_key = random_name("void");
  messages[2].routing_key = random_name("void");
  messages[2].properties.message_id = "mine";
  messages[3].routing_key = random_name("void");
  messages[3].mandatory = false;
  messages[4].properties.app_id = std::string(256, 'x');
  const auto settlements = co_await (*publisher)->publish(messages);
  EXPECT_TRUE(settlements) << settlements.error().what;
  using enum Settlement;
  EXPECT_EQ(*settlements, (std::vector{confirmed, returned, returned, confirmed, too_large}));
  co_await connection->close();
}

TEST_F(RabbitMq, TellsWhichMessagesItReturned) { run(publish_into_the_void(endpoint_)); }

Task<void> delete_under_a_consumer(Endpoint endpoint, std::string queue) {
  const auto connection = co_await connect(endpoint);
  const auto ensured = co_await connection->ensure_queue(queue, QueueType::classic);
  EXPECT_TRUE(ensured);
  auto consumer = co_await Consumer::open(*connection, {.queue = queue, .prefetch = 10});
  EXPECT_TRUE(consumer) << consumer.error().what;
  co_await remove_queue(connection, queue);
  const auto received = co_await (*consumer)->receive(10);
  EXPECT_FALSE(received);
  EXPECT_EQ(received.error().fault, Fault::refused);
  EXPECT_NE(received.error().what.find(queue), std::string::npos) << received.error().what;
  const auto again = co_await Consumer::open(*connection, {.queue = queue, .prefetch = 10});
  EXPECT_FALSE(again);
  EXPECT_EQ(again.error().reply_code, 404) << again.error().what;
  EXPECT_TRUE(connection->is_open());
  co_await connection->close();
}

TEST_F(RabbitMq, TellsAConsumerThatItsQueueWasDeleted) {
  run(delete_under_a_consumer(endpoint_, random_name("deleted")));
}

Task<void> open_wrongly(Endpoint endpoint, std::uint16_t reply_code) {
  const Host host = endpoint.hosts.front();
  const auto connection = co_await Connection::open(endpoint, host, {.name = "wrong", .tls = {}});
  EXPECT_FALSE(connection);
  EXPECT_EQ(connection.error().fault, Fault::refused);
  EXPECT_EQ(connection.error().reply_code, reply_code) << connection.error().what;
}

TEST_F(RabbitMq, RefusesAWrongPassword) {
  endpoint_.password = "wrong";
  run(open_wrongly(endpoint_, 403));
}

TEST_F(RabbitMq, RefusesAVhostThatIsNotThere) {
  endpoint_.vhost = random_name("vhost");
  run(open_wrongly(endpoint_, 530));
}

Task<void> send_a_large_body(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto queue = co_await connection->declare_reply_queue();
  auto publisher = co_await Publisher::open(*connection, {});
  auto consumer = co_await Consumer::open(*connection, {.queue = *queue, .prefetch = 10});
  EXPECT_TRUE(queue && publisher && consumer);
  std::vector<Message> messages(2);
  messages[0] = {.routing_key = *queue, .properties = {}, .body = std::string(3'000'000, 'a')};
  messages[0].properties = {.content_type = "text/plain",
                            .content_encoding = "identity",
                            .headers = HeaderTable(),
                            .delivery_mode = 2,
                            .priority = 3,
                            .correlation_id = "c",
                            .reply_to = "r",
                            .expiration = "100000",
                            .message_id = "m",
                            .timestamp = 1'700'000'000,
                            .type = "t",
                            .user_id = endpoint.user,
                            .app_id = "a",
                            .cluster_id = "k"};
  messages[0].properties.headers.emplace().add_bool("flag", true);
  messages[1] = {.routing_key = *queue, .properties = {}, .body = {}};
  const auto settlements = co_await (*publisher)->publish(messages);
  EXPECT_TRUE(settlements);
  std::vector<Delivery> deliveries;
  while (deliveries.size() < 2) {
    auto received = co_await (*consumer)->receive(1);
    EXPECT_TRUE(received) << received.error().what;
    if (!received) co_return;
    deliveries.push_back(std::move(received->front()));
  }
  EXPECT_TRUE(deliveries[0].body == messages[0].body);
  EXPECT_TRUE(deliveries[0].properties == messages[0].properties);
  EXPECT_TRUE(deliveries[1].body.empty());
  EXPECT_TRUE(deliveries[1].properties.message_id.has_value());
  co_await connection->close();
}

TEST_F(RabbitMq, KeepsALargeBodyAndEveryProperty) { run(send_a_large_body(endpoint_)); }

// The bodies of all messages of a queue, from its head; removes those at odd places.
Task<std::vector<std::string>> remove_every_second(std::shared_ptr<Connection> connection,
                                                   std::string queue, QueueType type) {
  std::vector<std::string> bodies;
  std::vector<std::uint64_t> odd;
  auto browser = co_await Browser::open(*connection, {.queue = queue, .type = type});
  EXPECT_TRUE(browser) << browser.error().what;
  for (;;) {
    auto taken = co_await (*browser)->next();
    EXPECT_TRUE(taken) << taken.error().what;
    if (!taken || !*taken) break;
    const Delivery& delivery = (*taken)->delivery;
    if (bodies.size() % 2 == 1) odd.push_back(delivery.delivery_tag);
    bodies.push_back(delivery.body);
  }
  const auto removed = co_await (*browser)->remove(odd);
  EXPECT_TRUE(removed) << removed.error().what;
  const auto finished = co_await (*browser)->finish();
  EXPECT_TRUE(finished) << finished.error().what;
  co_return bodies;
}

Task<void> browse_twice(Endpoint endpoint, std::string queue, QueueType type) {
  const auto connection = co_await connect(endpoint);
  const auto ensured = co_await connection->ensure_queue(queue, type);
  auto publisher = co_await Publisher::open(*connection, {});
  EXPECT_TRUE(ensured && publisher);
  auto messages = messages_to(queue, 400);  // more than a quorum queue takes back at once
  std::vector<std::string> all;
  std::vector<std::string> kept;
  for (const Message& message : messages) {
    if (all.size() % 2 == 0) kept.push_back(message.body);
    all.push_back(message.body);
  }
  const auto settlements = co_await (*publisher)->publish(messages);
  EXPECT_TRUE(settlements);
  const auto first = co_await remove_every_second(connection, queue, type);
  EXPECT_EQ(first, all);
  const auto second = co_await remove_every_second(connection, queue, type);
  EXPECT_EQ(second, kept) << "in order";
  // The queue takes back what the channel held a moment after the channel is closed.
  std::uint32_t ready = 0;
  for (int tries = 0; tries < 1000 && ready != 100; ++tries) {
    ready = (co_await connection->count(queue)).value_or(QueueCount{}).ready;
  }
  EXPECT_EQ(ready, 100U);
  co_await remove_queue(connection, queue);
  co_await connection->close();
}

TEST_F(RabbitMq, PutsBackInOrderWhatWasBrowsedAndNotRemoved) {
  run(browse_twice(endpoint_, random_name("browsed"), QueueType::classic));
}

TEST_F(RabbitMq, PutsBackInOrderWhatWasBrowsedAndNotRemovedFromAQuorumQueue) {
  run(browse_twice(endpoint_, random_name("browsed"), QueueType::quorum));
}

}  // namespace
}  // namespace amqp
