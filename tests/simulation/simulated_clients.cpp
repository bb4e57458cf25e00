#include "simulated_clients.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "contract/expiry_message.h"

namespace inventory::simulation {

SimulatedClients::SimulatedClients(Environment& environment, SimulatedBroker& broker,
                                   std::uint64_t products)
    : environment_(environment),
      broker_(broker),
      products_(products),
      has_all_kinds_(environment.random.chance(600)) {
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
  // A longer world has more bursts, so that there is traffic all the time.
  const auto minutes = static_cast<std::uint64_t>(within / seconds(60));
  std::vector<Time> bursts(random.between(1, 8) + minutes);
  for (Time& begin : bursts) {
    begin = Time(random.below(static_cast<std::uint64_t>(within.count())));
    const std::uint64_t count = random.between(1, 8);
    for (std::uint64_t i = 0; i < count; ++i) {
      Letter letter = write();
      written_.push_back(letter);
      if (random.chance(200)) {  // once more, soon or much later
        const Time later =
            random.chance(500) ? Time(random.below(2'000)) : seconds(random.below(60));
        plan(letter, begin + later);
      }
      const Time sent = begin + Time(random.below(2'000));
      follow(letter, sent);
      plan(std::move(letter), sent);
    }
  }
  return bursts;
}

void SimulatedClients::plan(Letter letter, Time delay) {
  ++unsent_;
  environment_.scheduler.after(delay, [this, letter = std::move(letter)] { send(letter); });
}

void SimulatedClients::send(const Letter& letter) {
  const bool is_lost = !broker_.is_up() || environment_.faults.strikes(InjectedFault::request_lost);
  if (broker_.is_up() && (!is_lost || environment_.random.chance(500))) {
    broker_.enqueue(
        environment_.checks.add(letter.kind, letter.properties, letter.body, letter.undecodable));
  }
  if (is_lost) {  // not confirmed: it is sent again as another message
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
  Letter letter = has_all_kinds_ && random.chance(400) ? write_other()
                  : random.chance(800)                 ? write_order()
                                                       : write_item();
  if (random.chance(700)) {
    letter.properties.reply_to = random.pick(reply_queues_);
  }
  if (random.chance(60)) {
    letter.body = invalid_body();
  }
  if (environment_.faults.strikes(InjectedFault::content_undecodable)) {
    make_undecodable(letter);
  }
  return letter;
}

// The properties after a malformed one cannot be decoded. Headers come before these.
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
  Letter letter{.kind = Kind::order, .properties = {}, .body = order_body()};
  if (environment_.random.chance(800)) {
    letter.properties.correlation_id = fmt::format("correlation {}", last_id_);
  }
  return letter;
}

SimulatedClients::Letter SimulatedClients::write_item() {
  Random& random = environment_.random;
  Letter letter{.kind = Kind::item, .properties = {}, .body = {}};
  letter.body = fmt::format(R"({{"quantity":{},"description":"item"}})", random.below(5));
  const std::uint64_t id = ++last_id_;
  if (random.chance(500)) {
    letter.properties.message_id = fmt::format("message {}", id);
  }
  if (random.chance(700)) {
    letter.properties.correlation_id = fmt::format("correlation {}", id);
  }
  if (letter.properties.message_id && random.chance(200)) {  // an id that the client chooses
    letter.body = fmt::format(R"({{"quantity":{},"product_id":{},"low_stock":1}})", random.below(5),
                              random.between(1, products_ + 8));
  }
  return letter;
}

SimulatedClients::Letter SimulatedClients::write_other() {
  Random& random = environment_.random;
  if (random.chance(350)) return write_adjustment();
  if (random.chance(50)) return write_expiry();
  return write_about_an_order(random.chance(600) ? Kind::cancellation : Kind::confirmation);
}

// About an order that was sent, another one, or one that comes later.
SimulatedClients::Letter SimulatedClients::write_about_an_order(Kind kind) {
  Random& random = environment_.random;
  Letter letter{.kind = kind, .properties = {}, .body = {}};
  std::vector<const Letter*> orders;
  for (const Letter& one : written_) {
    if (one.kind == Kind::order && !one.undecodable) orders.push_back(&one);
  }
  if (orders.empty() || random.chance(300)) {
    Letter order = write_order();
    letter.body = order.body;
    plan(std::move(order), Time(random.below(random.chance(500) ? 4'000 : 20'000'000)));
  } else if (random.chance(850)) {
    letter.body = random.pick(orders)->body;
  } else {
    letter.body =
        fmt::format(R"({{"order_id":{},"product_id":{}}})",
                    some_id(random.between(1, last_id_ + 2)), random.between(1, products_ + 2));
  }
  letter.properties.correlation_id = fmt::format("{} {}", row_of(kind).name, ++last_id_);
  return letter;
}

// An expiry from a client, for a hold that may not be due or never existed.
SimulatedClients::Letter SimulatedClients::write_expiry() {
  Random& random = environment_.random;
  const domain::LedgerKey key(
      static_cast<domain::ProductId>(random.between(1, products_)),
      fmt::format("{}{}", random.chance(500) ? 's' : 'i', random.between(1, last_id_ + 1)));
  return {.kind = Kind::expiry, .properties = {}, .body = contract::expiry_body(key)};
}

// Plans the end of a hold: it is confirmed or cancelled, or both, or neither; in time or late.
void SimulatedClients::follow(const Letter& order, Time sent) {
  Random& random = environment_.random;
  if (order.kind != Kind::order || !order.body.contains("hold_seconds")) return;
  for (const Kind kind : {Kind::confirmation, Kind::cancellation}) {
    const unsigned per_thousand = kind == Kind::confirmation ? 500 : 150;
    for (int times = 0; times < 3 && random.chance(per_thousand); ++times) {
      Letter letter{.kind = kind, .properties = order.properties, .body = order.body};
      letter.properties.message_id.reset();
      plan(std::move(letter), sent + Time(random.below(8'000'000)));
    }
  }
}

SimulatedClients::Letter SimulatedClients::write_adjustment() {
  Random& random = environment_.random;
  const std::uint64_t number = random.chance(850) ? ++last_id_ : random.between(1, last_id_ + 1);
  const auto begin = fmt::format(R"({{"adjustment_id":{},"product_id":{})", number,
                                 random.between(1, products_ + 1));
  std::string what;
  if (random.chance(500)) {
    what = fmt::format(R"("change":{}{})", random.chance(500) ? "-" : "", random.between(1, 6));
  } else {
    what = fmt::format(R"("set_to":{})", random.below(12));
    if (random.chance(600)) what += fmt::format(R"(,"expected":{})", random.below(8));
  }
  return {.kind = Kind::adjustment,
          .properties = {},
          .body = fmt::format("{},{},\"reason\":\"a count\"}}", begin, what)};
}

std::string SimulatedClients::order_body() {
  Random& random = environment_.random;
  const std::uint64_t id = ++last_id_;
  const auto product = random.between(1, products_ + 2);  // two of them may be added later
  if (random.chance(30)) {
    return order_body(fmt::format("\"{}-{}\"", kPoison, id), product);
  }
  if (random.chance(250)) return basket_body(some_id(id));
  return order_body(some_id(id), product);
}

std::string SimulatedClients::basket_body(std::string_view id) {
  Random& random = environment_.random;
  std::string items;
  for (std::uint64_t i = random.between(1, 3); i > 0; --i) {
    items += fmt::format(R"({}{{"product_id":{},"quantity":{}}})", items.empty() ? "" : ",",
                         random.between(1, products_ + (random.chance(100) ? 1 : 0)),
                         random.between(1, 3));
  }
  return fmt::format(R"({{"order_id":{},"items":[{}]{}}})", id, items, hold());
}

std::string SimulatedClients::order_body(std::string_view id, std::uint64_t product) {
  return fmt::format(R"({{"order_id":{},"product_id":{},"quantity":{}{}}})", id, product,
                     environment_.random.between(1, 3), hold());
}

// The member hold_seconds of an order, or nothing.
std::string SimulatedClients::hold() {
  Random& random = environment_.random;
  if (!has_all_kinds_ || random.chance(600)) return "";
  const auto most = random.chance(800) ? 8U : random.chance(800) ? 40U : 2'592'000U;
  return fmt::format(R"(,"hold_seconds":{})", random.between(1, most));
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

// Repeats a request, or changes its quantity, its product, or the type of its id.
SimulatedClients::Letter SimulatedClients::write_again(Letter earlier) {
  Random& random = environment_.random;
  if (earlier.kind != Kind::order || random.chance(500)) {
    return earlier;
  }
  const std::string id = some_id(random.between(1, last_id_));
  if (random.chance(300)) {
    earlier.body = basket_body(id);
    return earlier;
  }
  earlier.body = order_body(id, random.between(1, products_));
  return earlier;
}

}  // namespace inventory::simulation
