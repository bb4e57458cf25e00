#include "workloads.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "amqp/decode.h"
#include "amqp/encode.h"
#include "amqp/frame.h"
#include "amqp/wire.h"
#include "contract/order_message.h"
#include "domain/command.h"
#include "or_throw.h"
#include "order_stream.h"
#include "service/clock.h"
#include "service/orders.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/one_kind.h"

namespace inventory::bench {
namespace {

constexpr std::size_t kBytesMax = 65'536;
constexpr std::int64_t kProducts = 1'000;
constexpr std::int64_t kStock = 1'000'000'000'000;

// Keeps the compiler from removing results that are not used.
std::size_t sink = 0;
void consume(std::size_t value) { *const_cast<volatile std::size_t*>(&sink) = sink + value; }

template <class T>
T wait_for(boost::asio::io_context& context, store::Task<T> task) {
  std::optional<T> result;
  boost::asio::co_spawn(context, std::move(task),
                        [&result](const std::exception_ptr& error, T value) {
                          rethrow(error);
                          result = std::move(value);
                        });
  context.restart();
  while (!result) {
    context.run_one();
  }
  return std::move(*result);
}

template <class T>
T run(boost::asio::io_context& context, store::Task<store::Result<T>> task) {
  return or_throw(wait_for(context, std::move(task)));
}

amqp::Delivery delivery(std::uint64_t tag, std::string body) {
  amqp::Delivery result{
      .delivery_tag = tag, .redelivered = false, .properties = {}, .body = std::move(body)};
  result.properties.content_type = "application/json";
  result.properties.delivery_mode = 2;
  result.properties.reply_to = "bench.replies";
  result.properties.correlation_id = fmt::to_string(tag);
  return result;
}

std::vector<amqp::Delivery> deliveries(std::size_t count) {
  OrderStream stream({.products = kProducts, .seed = 1});
  std::vector<amqp::Delivery> result;
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(delivery(i + 1, stream.next()));
  }
  return result;
}

std::vector<domain::Order> orders(OrderStream& stream, std::size_t count) {
  std::vector<domain::Order> result;
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(*contract::read_order(stream.next(), kBytesMax).single());
  }
  return result;
}

std::vector<amqp::Message> replies(std::size_t count) {
  std::vector<amqp::Message> result;
  for (const amqp::Delivery& request : deliveries(count)) {
    auto body = contract::order_reply(contract::read_order(request.body, kBytesMax), {});
    result.push_back(service::make_reply(request, std::move(body), false, {}).message);
  }
  return result;
}

// Accepts everything, at no cost.
class NoStore : public store::Store {
 public:
  store::Task<store::Result<int>> migrate() override { co_return 0; }
  store::Task<store::Result<void>> ready() override { co_return store::Result<void>(); }
  store::Task<store::Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, store::Locks,
      std::vector<domain::StockNews>*) override {
    co_return std::vector<domain::Decision>(commands.size());
  }
  store::Task<store::Result<void>> try_another(std::span<const domain::ProductId>) override {
    co_return store::Result<void>();
  }
  store::Task<store::Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold>,
                                                                  std::size_t) override {
    co_return std::vector<domain::Hold>();
  }
};

std::function<void()> read_orders(std::size_t batch) {
  return [requests = deliveries(batch)] {
    for (const amqp::Delivery& request : requests) {
      consume(contract::read_order(request.body, kBytesMax).object.size());
    }
  };
}

std::function<void()> write_replies(std::size_t batch) {
  return [requests = deliveries(batch)] {
    for (const amqp::Delivery& request : requests) {
      const contract::OrderMessage message{
          .order = domain::Order{domain::OrderId("an-order"), 1, 1},
          .order_id = domain::OrderId("an-order"),
          .object = request.body};
      consume(contract::order_reply(message, {.outcome = domain::Outcome::accepted}).size());
    }
  };
}

std::function<void()> decide(std::size_t batch) {
  OrderStream stream({.products = kProducts, .seed = 1});
  const auto batch_orders = orders(stream, batch);
  return [commands = std::vector<domain::Command>(batch_orders.begin(), batch_orders.end())] {
    const domain::Needs needs = domain::needs_of(commands);
    domain::Books books(needs);
    for (const domain::ProductId product : needs.products) books.found(product, {kStock});
    consume(domain::decide_all(commands, books).size());
    consume(books.take_changes().entries.size());
  };
}

std::function<void()> encode_replies(std::size_t batch) {
  return [messages = replies(batch), out = std::string()]() mutable {
    out.clear();
    for (const amqp::Message& message : messages) {
      amqp::append_message(out, 1, amqp::kFrameMaxDefault, message, "0123456789abcdef01234567-42");
    }
    consume(out.size());
  };
}

// basic.deliver (60.60): consumer tag, delivery tag, redelivered, exchange, routing key.
void append_deliver(std::string& out, std::uint64_t tag) {
  std::string method(
      "\0\x3c\0\x3c\x08"
      "consumer",
      13);
  amqp::append_integer(method, tag);
  method += std::string(
      "\0\0\x0e"
      "order_validate",
      17);
  std::array<char, amqp::kFrameHeaderSize> header{};
  amqp::write_frame_header(header.data(), amqp::FrameType::method, 1, method.size());
  out.append(header.data(), header.size()).append(method).append(1, amqp::kFrameEnd);
}

// Decodes what a broker sends for a request: method, header, body.
std::function<void()> decode_deliveries(std::size_t batch) {
  std::string bytes;
  for (auto& request : deliveries(batch)) {
    std::string published;
    amqp::append_message(published, 1, amqp::kFrameMaxDefault,
                         {.routing_key = "order_validate",
                          .properties = std::move(request.properties),
                          .body = std::move(request.body)},
                         {});
    const std::size_t method_size =
        amqp::kFrameOverhead + amqp::read_integer<std::uint32_t>(published.data() + 3);
    append_deliver(bytes, request.delivery_tag);
    bytes.append(published, method_size);
  }
  return [bytes = std::move(bytes), reader = amqp::FrameReader(amqp::kFrameMaxDefault),
          decoder = std::make_shared<amqp::Decoder>()]() mutable {
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto space = reader.space();
      const std::size_t size = rest.copy(space.data(), space.size());
      reader.commit(size);
      rest.remove_prefix(size);
      for (;;) {
        const auto frame = reader.next();
        if (!frame || !*frame) {
          break;
        }
        if ((*frame)->type == amqp::FrameType::method) {
          consume(or_throw(decoder->method((*frame)->payload)).index());
        } else if ((*frame)->type == amqp::FrameType::header) {
          const auto header = amqp::decode_content_header((*frame)->payload, (*frame)->size);
          consume(or_throw(header).body_size);
        } else {
          consume(std::string((*frame)->payload.data(), (*frame)->payload.size()).size());
        }
      }
    }
  };
}

std::function<void()> answer(std::size_t batch) {
  struct State {
    boost::asio::io_context context{1};
    NoStore store;
    service::SystemClock clock;
    service::OrderHandler handler{{.queue = "order_validate", .reply_queue = {}}, store, clock};
  };
  return [state = std::make_shared<State>(), requests = deliveries(batch)] {
    consume(wait_for(state->context, state->handler.answer(requests)).answers.size());
  };
}

struct OpenStore {
  boost::asio::io_context context{1};
  std::filesystem::path folder;  // to be removed with the store
  std::unique_ptr<store::Store> store;
  OrderStream stream{{.products = kProducts, .seed = std::random_device()()}};

  ~OpenStore() {
    store.reset();
    if (!folder.empty()) {
      std::filesystem::remove_all(folder);
    }
  }
};

std::function<void()> decide_in(std::shared_ptr<OpenStore> open, std::size_t batch) {
  run(open->context, open->store->migrate());
  std::vector<domain::NewItem> items;
  items.reserve(kProducts);
  for (std::int64_t i = 0; i < kProducts; ++i) {
    items.push_back({.identity = fmt::format("mbench-{}", i),
                     .quantity = kStock,
                     .description = {},
                     .created_at = {}});
  }
  run(open->context, store::add_items(*open->store, items));
  return [open = std::move(open), batch] {
    const auto fresh = orders(open->stream, batch);
    consume(run(open->context, store::decide_orders(*open->store, fresh)).size());
  };
}

std::function<void()> sqlite(std::size_t batch) {
  auto open = std::make_shared<OpenStore>();
  std::string pattern = std::filesystem::temp_directory_path() / "bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("no folder can be made: " + pattern);
  }
  open->folder = pattern;
  open->store = store::sqlite::make_sqlite_store(open->context.get_executor(),
                                                 {.path = open->folder / "bench.db"});
  return decide_in(std::move(open), batch);
}

std::function<void()> postgres(std::size_t batch) {
  auto open = std::make_shared<OpenStore>();
  open->store = store::postgres::make_postgres_store(
      open->context.get_executor(), {.connection_string = std::getenv("BENCH_POSTGRES_URL")});
  return decide_in(std::move(open), batch);
}

}  // namespace

std::vector<Workload> workloads() {
  std::vector<Workload> all{
      {"read_orders", read_orders},
      {"write_replies", write_replies},
      {"decide", decide},
      {"encode_replies", encode_replies},
      {"decode_deliveries", decode_deliveries},
      {"answer", answer},
      {"sqlite", sqlite},
  };
  if (std::getenv("BENCH_POSTGRES_URL") != nullptr) {
    all.push_back({"postgres", postgres});
  }
  return all;
}

}  // namespace inventory::bench
