#include "simulated_clients.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace inventory::simulation {

SimulatedClients::SimulatedClients(Environment& environment, SimulatedBroker& broker,
                                   std::uint64_t products)
    : environment_(environment), broker_(broker), products_(products) {
  const std::uint64_t clients = environment.random.between(1, 3);
  for (std::uint64_t client = 1; client <= clients; ++client) {
    reply_queues_.push_back(fmt::format("client-{}", client));
    reply_queues_.push_back(fmt::format("amq.rabbitmq.reply-to.{}", client));
  }
  for (const auto& queue : reply_queues_) {
    broker.declare(queue);
  }
  reply_queues_.emplace_back("");
  reply_queues_.emplace_back(kOrderReplies);
  reply_queues_.emplace_back("nobody's");
}

std::vector<Time> SimulatedClients::begin(Time within) {
  Random& random = environment_.random;
  // In a world that lasts longer there is more to do, to see that it goes on.
  const auto minutes = static_cast<std::uint64_t>(within / seconds(60));
  std::vector<Time> bursts(random.between(1, 8) + minutes);
  for (Time& begin : bursts) {
    begin = Time(random.below(static_cast<std::uint64_t>(within.count())));
    const std::uint64_t count = random.between(1, 8);
    for (std::uint64_t i = 0; i < count; ++i) {
      Letter letter = write();
      written_.push_back(letter);
      if (random.chance(200)) {  // once more, close by or much later
        const Time later =
            random.chance(500) ? Time(random.below(2'000)) : seconds(random.below(60));
        plan(letter, begin + later);
      }
      plan(std::move(letter), begin + Time(random.below(2'000)));
    }
  }
  return bursts;
}

void SimulatedClients::plan(Letter letter, Time delay) {
  ++unsent_;
  environment_.scheduler.after(delay, [this, letter = std::move(letter)] { send(letter); });
}

void SimulatedClients::send(const Letter& letter) {
  const bool is_lost = !broker_.is_up() || environment_.faults.strikes(Fault::request_lost);
  if (broker_.is_up() && (!is_lost || environment_.random.chance(500))) {
    broker_.enqueue(environment_.checks.add(letter.is_order, letter.properties, letter.body,
                                            letter.undecodable));
  }
  if (is_lost) {  // not confirmed: it is sent again, as another message
    plan(letter, Time(environment_.random.between(1, 20'000'000)));
  }
  --unsent_;
}

void SimulatedClients::one_leaves() {
  const std::string& queue = environment_.random.pick(reply_queues_);
  if (!queue.starts_with("client-") && !queue.starts_with("amq.")) {
    return;
  }
  environment_.trace("client: {} leaves", queue);
  broker_.remove(queue);
  if (environment_.random.chance(800)) {
    environment_.scheduler.after(seconds(environment_.random.below(10)),
                                 [this, queue] { broker_.declare(queue); });
  }
}

SimulatedClients::Letter SimulatedClients::write() {
  Random& random = environment_.random;
  if (!written_.empty() && random.chance(150)) {
    return write_again(random.pick(written_));
  }
  Letter letter = random.chance(800) ? write_order() : write_item();
  if (random.chance(700)) {
    letter.properties.reply_to = random.pick(reply_queues_);
  }
  if (random.chance(60)) {
    letter.body = invalid_body();
  }
  if (environment_.faults.strikes(Fault::content_undecodable)) {
    make_undecodable(letter);
  }
  return letter;
}

// What is understood of properties ends before the first that is not well formed. Headers come
// before these.
void SimulatedClients::make_undecodable(Letter& letter) {
  letter.undecodable = "a property is not well formed";
  letter.properties.message_id.reset();
  if (environment_.random.chance(700)) letter.properties.reply_to.reset();
  if (environment_.random.chance(500)) letter.properties.correlation_id.reset();
}

void SimulatedClients::flood(const std::string& reply_to) {
  const std::uint64_t count = environment_.random.between(10, 60);
  for (std::uint64_t i = 0; i < count; ++i) {
    Letter letter = write_order();
    letter.properties.reply_to = reply_to;
    plan(std::move(letter), Time(environment_.random.below(500'000)));
  }
}

void SimulatedClients::flood(domain::ProductId product) {
  const std::uint64_t count = environment_.random.between(10, 60);
  for (std::uint64_t i = 0; i < count; ++i) {
    Letter letter = write_order();
    letter.body = order_body(some_id(++last_id_), static_cast<std::uint64_t>(product));
    plan(std::move(letter), Time(environment_.random.below(500'000)));
  }
}

std::vector<std::string> SimulatedClients::queues() const {
  std::vector<std::string> queues;
  std::ranges::copy_if(reply_queues_, std::back_inserter(queues), [](const std::string& queue) {
    return queue.starts_with("client-") || queue.starts_with("amq.");
  });
  return queues;
}

SimulatedClients::Letter SimulatedClients::write_order() {
  Letter letter{.is_order = true, .properties = {}, .body = order_body()};
  if (environment_.random.chance(800)) {
    letter.properties.correlation_id = fmt::format("correlation {}", last_id_);
  }
  return letter;
}

SimulatedClients::Letter SimulatedClients::write_item() {
  Random& random = environment_.random;
  Letter letter{.is_order = false, .properties = {}, .body = {}};
  letter.body = fmt::format(R"({{"quantity":{},"description":"item"}})", random.below(5));
  const std::uint64_t id = ++last_id_;
  if (random.chance(500)) {
    letter.properties.message_id = fmt::format("message {}", id);
  }
  if (random.chance(700)) {
    letter.properties.correlation_id = fmt::format("correlation {}", id);
  }
  return letter;
}

std::string SimulatedClients::order_body() {
  Random& random = environment_.random;
  const std::uint64_t id = ++last_id_;
  const auto product = random.between(1, products_ + 2);  // two that are perhaps added later
  if (random.chance(30)) {
    return order_body(fmt::format("\"{}-{}\"", kPoison, id), product);
  }
  return order_body(some_id(id), product);
}

std::string SimulatedClients::order_body(std::string_view id, std::uint64_t product) {
  return fmt::format(R"({{"order_id":{},"product_id":{},"quantity":{}}})", id, product,
                     environment_.random.between(1, 3));
}

std::string SimulatedClients::some_id(std::uint64_t number) {
  return environment_.random.chance(500) ? fmt::format("\"{}\"", number) : fmt::to_string(number);
}

std::string SimulatedClients::invalid_body() {
  static const std::array<std::string, 6> kBodies{
      "",
      "{",
      "[1]",
      R"({"order_id":1,"product_id":1,"quantity":0})",
      R"({"order_id":null,"quantity":-1,"description":7})",
      R"({"quantity":true,")" + std::string(kBodyBytesMax, 'x') + R"(":1})"};
  return environment_.random.pick(kBodies);
}

// The same once more, or with another quantity, another product, or the other type of id.
SimulatedClients::Letter SimulatedClients::write_again(Letter earlier) {
  Random& random = environment_.random;
  if (!earlier.is_order || random.chance(500)) {
    return earlier;
  }
  const std::string id = some_id(random.between(1, last_id_));
  earlier.body = order_body(id, random.between(1, products_));
  return earlier;
}

}  // namespace inventory::simulation
