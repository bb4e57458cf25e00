#include "app/dead_letters.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <unistd.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "amqp/browser.h"
#include "amqp/publisher.h"
#include "app/broker_client.h"
#include "app/dead_letter_text.h"
#include "app/progress.h"
#include "ops/printable.h"
#include "service/answer.h"

namespace inventory::app {
namespace {

using amqp::Result;
using amqp::Task;
using Action = DeadLettersCommand::Action;

constexpr std::size_t kBatchMax = 100;                        // copies under way
constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20;  // a larger one goes alone
constexpr std::chrono::seconds kPublishTimeout{60};           // of a batch, blocked or not
constexpr std::chrono::minutes kAnswerTimeout{5};             // of the person

// RabbitMQ 4 drops a message that a quorum queue has delivered 20 times, unless a policy says
// otherwise.
constexpr std::int64_t kDeliveriesToWarnAt = 10;

amqp::Error failed(std::string what) {
  return {.fault = amqp::Fault::refused, .what = std::move(what)};
}

// A line from the terminal; empty if none comes in time.
Task<std::string> read_answer() {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::posix::stream_descriptor input(executor, dup(STDIN_FILENO));
  boost::asio::steady_timer deadline(executor, kAnswerTimeout);
  std::string line(64, '\0');
  constexpr auto as_tuple = boost::asio::as_tuple(boost::asio::use_awaitable);
  auto first = co_await (input.async_read_some(boost::asio::buffer(line), as_tuple) ||
                         deadline.async_wait(as_tuple));
  line.resize(first.index() == 0 ? std::get<1>(std::get<0>(first)) : 0);
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  co_return line;
}

// One run of the command over one dead-letter queue.
class Run {
 public:
  Run(const Configuration& configuration, const DeadLettersCommand& command, std::string queue,
      domain::Timestamp now)
      : configuration_(configuration),
        command_(command),
        queue_(std::move(queue)),
        now_(now),
        columns_(terminal_columns(STDOUT_FILENO)),
        progress_(
            fmt::format("looking through {}", ops::printable(queue_)),
            is_terminal(STDERR_FILENO) && (!is_terminal(STDOUT_FILENO) || !prints_letters())) {}

  // Returns the exit status.
  Task<Result<int>> run(amqp::Connection& browsing, amqp::Publisher* publisher) {
    publisher_ = publisher;
    auto browser = co_await amqp::Browser::open(browsing, {.queue = queue_});
    if (!browser) co_return std::unexpected(browser.error());
    browser_ = std::move(*browser);
    auto looked = co_await look_through();
    if (looked) looked = co_await end();
    if (!looked) {
      co_await browser_->finish();  // in order, if it still can be
      co_return std::unexpected(looked.error());
    }
    auto finished = co_await browser_->finish();
    if (!finished) co_return std::unexpected(finished.error());
    summarize();
    co_return left_.empty() && !declined_ ? kExitDone : kExitNo;
  }

  std::size_t matched() const { return matched_; }

  // What has been done, also if the run failed.
  void summarize();

 private:
  bool prints_letters() const {
    return command_.action == Action::list || command_.action == Action::show || command_.dry_run;
  }
  bool is_enough() const { return command_.limit && matched_ >= *command_.limit; }

  Task<Result<void>> look_through();
  Task<Result<void>> take(DeadLetter letter);
  Task<Result<void>> replay(const DeadLetter& letter);
  Task<Result<void>> publish_batch();
  Task<Result<std::vector<amqp::Settlement>>> publish();
  Task<Result<void>> purge();
  Task<Result<void>> end();
  void print(const DeadLetter& letter);
  void warn_of_deliveries(const DeadLetter& letter);

  const Configuration& configuration_;
  const DeadLettersCommand& command_;
  const std::string queue_;
  const domain::Timestamp now_;
  const std::size_t columns_;
  Progress progress_;
  std::unique_ptr<amqp::Browser> browser_;
  amqp::Publisher* publisher_ = nullptr;

  std::size_t looked_at_ = 0;
  std::size_t matched_ = 0;
  std::size_t done_ = 0;
  bool declined_ = false;
  bool output_failed_ = false;
  bool has_warned_ = false;
  std::map<std::string, std::size_t> left_;  // why, and how many
  std::vector<std::uint64_t> to_purge_;      // delivery tags

  std::vector<amqp::Message> batch_;
  std::vector<std::uint64_t> batch_tags_;
  std::size_t batch_bytes_ = 0;
};

Task<Result<void>> Run::look_through() {
  std::size_t total = 0;
  // A quorum queue puts what was taken behind what was not: then all of it is taken.
  while ((!is_enough() && !output_failed_) || browser_->is_quorum()) {
    auto taken = co_await browser_->next();
    if (!taken) co_return std::unexpected(taken.error());
    std::optional<amqp::Browsed>& message = *taken;
    if (!message) break;
    if (looked_at_ == 0) total = std::size_t{message->messages_behind} + 1;
    progress_.update(++looked_at_, total);
    auto letter = read_dead_letter(queue_, looked_at_, std::move(message->delivery));
    warn_of_deliveries(letter);
    const bool is_wanted = !is_enough() && !output_failed_ &&
                           (!command_.position || *command_.position == looked_at_) &&
                           matches(letter, command_.filter, now_);
    if (is_wanted) {
      ++matched_;
      auto taken_up = co_await take(std::move(letter));
      if (!taken_up) co_return taken_up;
    }
    if (looked_at_ >= total) break;
  }
  progress_.clear();
  if (output_failed_) co_return std::unexpected(failed("standard output cannot be written"));
  co_return Result<void>();
}

Task<Result<void>> Run::take(DeadLetter letter) {
  if (prints_letters()) print(letter);
  if (command_.action == Action::replay) co_return co_await replay(letter);
  if (command_.action == Action::purge) to_purge_.push_back(letter.delivery.delivery_tag);
  co_return Result<void>();
}

void Run::print(const DeadLetter& letter) {
  std::string text;
  if (command_.json) {
    text = json_line(letter) + '\n';
  } else if (command_.action == Action::show) {
    text = full_text(letter);
  } else {
    if (matched_ == 1) text = fmt::format("{}\n{}\n", ops::printable(queue_), table_head(columns_));
    text += table_line(letter, columns_) + '\n';
  }
  output_failed_ = std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
}

void Run::warn_of_deliveries(const DeadLetter& letter) {
  const std::int64_t deliveries = letter.deliveries.value_or(0);
  if (has_warned_ || deliveries < kDeliveriesToWarnAt) return;
  has_warned_ = true;
  progress_.clear();
  fmt::print(stderr,
             "inventory-service: {}: message {} has been looked at {} times; RabbitMQ 4 drops a "
             "message of a quorum queue after 20, unless a policy sets its delivery-limit\n",
             ops::printable(queue_), letter.position, deliveries);
}

Task<Result<void>> Run::replay(const DeadLetter& letter) {
  const auto queue =
      replay_queue(letter, command_.to, {configuration_.order_queue, configuration_.item_queue});
  if (!queue) {
    ++left_[queue.error()];
    co_return Result<void>();
  }
  if (command_.dry_run) {
    ++done_;
    co_return Result<void>();
  }
  const auto& headers = letter.delivery.properties.headers;
  const std::size_t size =
      letter.delivery.body.size() + (headers ? headers->encoded().size() : std::size_t{0});
  if (!batch_.empty() && batch_bytes_ + size > kBatchBytesMax) {
    auto published = co_await publish_batch();
    if (!published) co_return published;
  }
  batch_.push_back(make_replay(letter, *queue));
  batch_tags_.push_back(letter.delivery.delivery_tag);
  batch_bytes_ += size;
  if (batch_.size() == kBatchMax) co_return co_await publish_batch();
  co_return Result<void>();
}

Task<Result<void>> Run::publish_batch() {
  while (!batch_.empty()) {
    auto settlements = co_await publish();
    if (!settlements) co_return std::unexpected(settlements.error());
    std::vector<amqp::Message> smaller;
    std::vector<std::uint64_t> smaller_tags;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if ((*settlements)[i] == amqp::Settlement::confirmed) {
        browser_->remove(batch_tags_[i]);
        ++done_;
      } else if ((*settlements)[i] != amqp::Settlement::too_large) {
        ++left_[fmt::format("queue {} rejects messages", ops::printable(batch_[i].routing_key))];
      } else if (drop_death_headers(batch_[i])) {
        smaller.push_back(std::move(batch_[i]));
        smaller_tags.push_back(batch_tags_[i]);
      } else {
        ++left_["its properties do not fit in a frame"];
      }
    }
    batch_ = std::move(smaller);
    batch_tags_ = std::move(smaller_tags);
  }
  batch_bytes_ = 0;
  co_return Result<void>();
}

// Publishes the batch. An answer for each; an error if the queue of one is not there.
Task<Result<std::vector<amqp::Settlement>>> Run::publish() {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, kPublishTimeout);
  auto published =
      co_await (publisher_->publish(batch_) || deadline.async_wait(boost::asio::use_awaitable));
  if (published.index() == 1) {
    co_return std::unexpected(
        failed(fmt::format("the broker has confirmed no copies within {} s; "
                           "is it low on memory or disk?",
                           kPublishTimeout.count())));
  }
  auto& settlements = std::get<0>(published);
  if (!settlements) co_return std::unexpected(settlements.error());
  // A returned message is found by what it has in common with others: then nothing is removed.
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if ((*settlements)[i] == amqp::Settlement::returned) {
      co_return std::unexpected(
          failed(fmt::format("there is no queue {}", ops::printable(batch_[i].routing_key))));
    }
  }
  co_return std::move(settlements);
}

Task<Result<void>> Run::purge() {
  if (command_.dry_run || to_purge_.empty()) {
    done_ = to_purge_.size();
    co_return Result<void>();
  }
  if (!command_.yes) {
    fmt::print(stderr, "{}: remove {} of the {} dead letters looked at? They are gone then. [y/N] ",
               ops::printable(queue_), to_purge_.size(), looked_at_);
    const std::string answer = co_await read_answer();
    declined_ = answer != "y" && answer != "Y" && answer != "yes";
    if (declined_) co_return Result<void>();
  }
  for (const std::uint64_t tag : to_purge_) browser_->remove(tag);
  done_ = to_purge_.size();
  co_return Result<void>();
}

Task<Result<void>> Run::end() {
  if (command_.action == Action::replay) co_return co_await publish_batch();
  if (command_.action == Action::purge) co_return co_await purge();
  co_return Result<void>();
}

void Run::summarize() {
  progress_.clear();
  if (command_.action == Action::list && !command_.json && matched_ == 0) {
    fmt::print("{}: none of {} dead letters\n", ops::printable(queue_), looked_at_);
  }
  if (command_.action != Action::replay && command_.action != Action::purge) return;
  fmt::print("{}: {}{} {} of {} looked at\n", ops::printable(queue_),
             command_.dry_run ? "would have " : "",
             command_.action == Action::replay ? "replayed" : "removed", done_, looked_at_);
  for (const auto& [why, count] : left_) {
    fmt::print(stderr, "inventory-service: {}: left {}: {}\n", ops::printable(queue_), count, why);
  }
}

std::string explain(const std::string& queue, const amqp::Error& error) {
  constexpr std::uint16_t kNotFound = 404;
  if (error.reply_code != kNotFound) return error.what;
  return fmt::format("there is no queue {}: has the service been started?", ops::printable(queue));
}

Task<int> run_all(const Configuration& configuration, const DeadLettersCommand& command) {
  const domain::Timestamp now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  // Two connections: a broker that is low on memory blocks the one that publishes, not the other.
  auto browsing = co_await connect(configuration, "inventory-service dead-letters");
  if (!browsing) co_return report_failure(browsing.error().what);
  std::shared_ptr<amqp::Connection> publishing;
  std::unique_ptr<amqp::Publisher> publisher;
  if (command.action == Action::replay && !command.dry_run) {
    auto connection = co_await connect(configuration, "inventory-service dead-letters replay");
    if (!connection) co_return report_failure(connection.error().what);
    publishing = *connection;
    auto opened = co_await amqp::Publisher::open(*publishing, {});
    if (!opened) co_return report_failure(opened.error().what);
    publisher = std::move(*opened);
  }
  int status = kExitDone;
  std::size_t matched = 0;
  for (const std::string& request_queue : command.request_queues) {
    const std::string queue = service::dead_letter_queue(request_queue);
    Run run(configuration, command, queue, now);
    const auto ended = co_await run.run(**browsing, publisher.get());
    if (!ended) {
      if (std::ferror(stdout) != 0) co_return kExitFailed;  // which main() explains
      run.summarize();
      co_return report_failure(explain(queue, ended.error()));
    }
    status = std::max(status, *ended);
    matched += run.matched();
    if (command.action == Action::show && matched > 0) break;
  }
  if (publishing) co_await publishing->close();
  co_await (*browsing)->close();
  if (command.action == Action::show && matched == 0) {
    fmt::print(stderr, "inventory-service: no such dead letter\n");
    co_return kExitNo;
  }
  co_return status;
}

}  // namespace

int dead_letters(const Configuration& configuration, const DeadLettersCommand& command) {
  const bool asks = command.action == Action::purge && !command.yes && !command.dry_run;
  if (asks && !is_terminal(STDIN_FILENO)) {
    report_failure("dead-letters purge: without a terminal to ask on it needs --yes, or --dry-run");
    return kExitUsage;
  }
  return run_to_end(run_all(configuration, command));
}

}  // namespace inventory::app
