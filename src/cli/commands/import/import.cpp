#include "cli/commands/import/import.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "cli/broker_client.h"
#include "cli/commands/dead_letters/dead_letter_text.h"
#include "cli/commands/import/item_file.h"
#include "cli/commands/requests.h"
#include "cli/options.h"
#include "contract/headers.h"
#include "terminal/printable.h"
#include "terminal/progress.h"

namespace inventory::cli {
namespace {

using amqp::Task;
using Done = std::expected<void, std::string>;

constexpr std::size_t kWindow = 100;
constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

std::expected<std::string, std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      path == "-" ? stdin : std::fopen(path.c_str(), "rb"), std::fclose);
  const auto wrong = [] { return std::unexpected(std::system_category().message(errno)); };
  if (!file) return wrong();
  std::string text;
  char part[65'536];
  std::size_t size = 0;
  do {
    size = std::fread(part, 1, sizeof part, file.get());
    text.append(part, size);
    if (text.size() > kFileBytesMax) {
      return std::unexpected(fmt::format("more than {} MiB", kFileBytesMax >> 20));
    }
  } while (size == sizeof part);
  if (std::ferror(file.get()) != 0) return wrong();
  return text;
}

class Import {
 public:
  Import(const config::Configuration& configuration, const ImportCommand& command,
         std::span<const ItemRow> rows)
      : configuration_(configuration),
        command_(command),
        rows_(rows),
        name_(terminal::printable(command.name)),
        progress_(fmt::format("importing {}", name_), terminal::is_terminal(STDERR_FILENO)) {}

  Task<int> run() {
    auto done = co_await send_all();
    progress_.clear();
    fmt::print("{}: {} added, {} were there already, {} rejected, {} not answered\n", name_, added_,
               earlier_, rejected_, rows_.size() - added_ - earlier_ - rejected_);
    if (done) co_return rejected_ == 0 ? kExitDone : kExitNo;
    fmt::print(
        stderr,
        "inventory-service: {}\ninventory-service: run it again: what is there is recognised\n",
        done.error());
    co_return kExitFailed;
  }

 private:
  Task<Done> send_all() {
    auto connection = co_await connect(configuration_, "inventory-service import");
    if (!connection) co_return Wrong(connection.error().what);
    auto reply_queue = co_await (*connection)->declare_reply_queue();
    if (!reply_queue) co_return Wrong(reply_queue.error().what);
    reply_queue_ = *reply_queue;
    auto consumer =
        co_await amqp::Consumer::open(**connection, {.queue = reply_queue_, .prefetch = kWindow});
    if (!consumer) co_return Wrong(consumer.error().what);
    auto publisher = co_await amqp::Publisher::open(**connection, {});
    if (!publisher) co_return Wrong(publisher.error().what);
    for (std::size_t first = 0; first < rows_.size(); first += kWindow) {
      const auto rows = rows_.subspan(first, std::min(kWindow, rows_.size() - first));
      auto sent = co_await send(**publisher, rows);
      if (sent) sent = co_await receive_replies(**consumer, rows);
      if (!sent) co_return sent;
    }
    co_await (*connection)->close();
    co_return Done();
  }

  Task<Done> send(amqp::Publisher& publisher, std::span<const ItemRow> rows);
  Task<Done> receive_replies(amqp::Consumer& consumer, std::span<const ItemRow> rows);
  void count(const ItemRow& row, const amqp::Delivery& reply);

  const config::Configuration& configuration_;
  const ImportCommand& command_;
  const std::span<const ItemRow> rows_;
  const std::string name_;
  terminal::Progress progress_;
  std::string reply_queue_;
  std::size_t added_ = 0;
  std::size_t earlier_ = 0;
  std::size_t rejected_ = 0;
};

Task<Done> Import::send(amqp::Publisher& publisher, std::span<const ItemRow> rows) {
  using namespace boost::asio::experimental::awaitable_operators;
  std::vector<amqp::Message> messages;
  for (const ItemRow& row : rows) {
    amqp::Message& message = messages.emplace_back();
    message.routing_key = configuration_.item_queue;
    message.body = item_request(row.quantity, row.description);
    message.properties.content_type = "application/json";
    message.properties.delivery_mode = 2;
    message.properties.message_id = row.identity;
    message.properties.correlation_id = row.identity;
    message.properties.reply_to = reply_queue_;
  }
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, command_.timeout);
  auto published =
      co_await (publisher.publish(messages) || deadline.async_wait(boost::asio::use_awaitable));
  if (published.index() == 1) {
    co_return Wrong(
        fmt::format("the broker has taken no requests for {} s", command_.timeout.count()));
  }
  const auto& settlements = std::get<0>(published);
  if (!settlements) co_return Wrong(settlements.error().what);
  for (const amqp::Settlement settlement : *settlements) {
    if (settlement == amqp::Settlement::returned) {
      co_return Wrong(fmt::format("there is no queue {}: has the service been started?",
                                  configuration_.item_queue));
    }
    if (settlement != amqp::Settlement::confirmed) {
      co_return Wrong(
          fmt::format("the broker does not take requests for {}", configuration_.item_queue));
    }
  }
  co_return Done();
}

Task<Done> Import::receive_replies(amqp::Consumer& consumer, std::span<const ItemRow> rows) {
  using namespace boost::asio::experimental::awaitable_operators;
  std::map<std::string_view, const ItemRow*> missing;
  for (const ItemRow& row : rows) missing.emplace(row.identity, &row);
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor);
  while (!missing.empty()) {
    deadline.expires_after(command_.timeout);
    auto received =
        co_await (consumer.receive(kWindow) || deadline.async_wait(boost::asio::use_awaitable));
    if (received.index() == 1) {
      co_return Wrong(
          fmt::format("no reply for {} s: does the service run?", command_.timeout.count()));
    }
    const auto& replies = std::get<0>(received);
    if (!replies) co_return Wrong(replies.error().what);
    for (const amqp::Delivery& reply : *replies) {
      const auto found = missing.find(reply.properties.correlation_id.value_or(""));
      if (found == missing.end()) continue;  // a reply may come twice
      count(*found->second, reply);
      missing.erase(found);
    }
    consumer.acknowledge_up_to(replies->back().delivery_tag);
    progress_.update(added_ + earlier_ + rejected_, rows_.size());
  }
  co_return Done();
}

void Import::count(const ItemRow& row, const amqp::Delivery& reply) {
  if (!is_success(reply.body)) {
    ++rejected_;
    progress_.clear();
    fmt::print(stderr, "{}:{}: {}\n", name_, row.line, terminal::printable(reply.body));
    return;
  }
  const auto& headers = reply.properties.headers;
  const bool is_replay = headers && headers->find_integer(contract::headers::kReplayed) == 1;
  ++(is_replay ? earlier_ : added_);
}

}  // namespace

int import_items(const config::Configuration& configuration, const ImportCommand& command) {
  const std::string name = terminal::printable(command.name);
  const auto fail = [&](const std::string& what) {
    fmt::print(stderr, "inventory-service: {}: {}\n", name, what);
    return kExitFailed;
  };
  const auto text = read_file(command.path);
  if (!text) return fail(text.error());
  const auto file = read_item_file(*text, command.name);
  if (!file) return fail(file.error());
  for (const BadRow& bad : file->bad) {
    fmt::print(stderr, "{}:{}: {}\n", name, bad.line, terminal::printable(bad.what));
  }
  if (!file->bad.empty()) {
    fmt::print(stderr, "inventory-service: {}: {} bad and {} good rows{}\n", name, file->bad.size(),
               file->rows.size(),
               command.skip_bad ? "" : "; nothing was sent; --skip-bad sends the good ones");
    if (!command.skip_bad) return kExitNo;
  }
  if (command.dry_run) {
    fmt::print("{}: would have sent {} rows\n", name, file->rows.size());
    return file->bad.empty() ? kExitDone : kExitNo;
  }
  Import import(configuration, command, file->rows);
  const int status = run_to_end(import.run());
  return status == kExitDone && !file->bad.empty() ? kExitNo : status;
}

}  // namespace inventory::cli
