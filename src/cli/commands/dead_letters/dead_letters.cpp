#include "cli/commands/dead_letters/dead_letters.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
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
#include "cli/broker_client.h"
#include "cli/commands/dead_letters/dead_letter_text.h"
#include "cli/exit_status.h"
#include "cli/publishing.h"
#include "config/partition.h"
#include "contract/queues.h"
#include "terminal/printable.h"
#include "terminal/progress.h"

namespace inventory::cli {
namespace {

using amqp::Result;
using amqp::Task;
using Action = DeadLettersOptions::Action;

constexpr std::size_t kBatchMax = 100;                        // copies under way
constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20;  // a larger one goes alone
constexpr std::chrono::seconds kPublishTimeout{60};           // of a batch, even while blocked
constexpr std::chrono::minutes kAnswerTimeout{5};             // of the user

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

// A second connection, opened at the first publish: a broker that is low on memory blocks the
// connection that publishes, but not the one that browses.
class Publishing {
 public:
  explicit Publishing(const config::Configuration& configuration) : configuration_(configuration) {}

  Task<Result<amqp::Publisher*>> get() {
    if (publisher_) co_return publisher_.get();
    auto connection = co_await connect(configuration_, "inventory-service dead-letters publishes");
    if (!connection) co_return std::unexpected(connection.error());
    connection_ = std::move(*connection);
    auto opened = co_await amqp::Publisher::open(*connection_, {});
    if (!opened) co_return std::unexpected(opened.error());
    publisher_ = std::move(*opened);
    co_return publisher_.get();
  }

  Task<void> close() {
    if (connection_) co_await connection_->close();
  }

 private:
  const config::Configuration& configuration_;
  std::shared_ptr<amqp::Connection> connection_;
  std::unique_ptr<amqp::Publisher> publisher_;
};

// One run of the command over one dead-letter queue.
//
// A quorum queue with a delivery limit counts how often a letter is taken and requeued, and drops
// it beyond the limit. In such a queue no letter and no copy is requeued: a copy is published to
// the end of the queue and confirmed, then the letter is removed, a few at a time. The whole queue
// is taken, so it is in order again at the end. (Requeueing a copy would break the order: a quorum
// queue without a limit puts it at its end.)
class Run {
 public:
  Run(const config::Configuration& configuration, const DeadLettersOptions& options,
      std::string queue, domain::Timestamp now, Publishing& publishing)
      : configuration_(configuration),
        options_(options),
        queue_(std::move(queue)),
        now_(now),
        publishing_(publishing),
        columns_(terminal::terminal_columns(STDOUT_FILENO)),
        progress_(fmt::format("looking through {}", terminal::printable(queue_)),
                  terminal::is_terminal(STDERR_FILENO) &&
                      (!terminal::is_terminal(STDOUT_FILENO) || !prints_letters())) {}

  // Returns the exit status.
  Task<Result<int>> run(amqp::Connection& browsing) {
    const auto terms = co_await browsing.examine_queue(queue_, amqp::QueueType::quorum);
    if (!terms) co_return std::unexpected(terms.error());
    takes_all_ = terms->type != amqp::QueueType::classic;
    copies_ = terms->may_drop();
    if (copies_ && asks()) {
      co_return std::unexpected(
          failed(fmt::format("{} has a delivery limit, and its letters are not held while you are "
                             "asked: look with --dry-run, then remove with --yes",
                             terminal::printable(queue_))));
    }
    auto browser = co_await amqp::Browser::open(browsing, {.queue = queue_, .type = terms->type});
    if (!browser) co_return std::unexpected(browser.error());
    browser_ = std::move(*browser);
    auto looked = co_await look_through();
    if (looked) looked = co_await end();
    if (!looked) {
      co_await browser_->finish();  // properly, if that still works
      co_return std::unexpected(looked.error());
    }
    auto finished = co_await browser_->finish();
    if (!finished) co_return std::unexpected(finished.error());
    auto counted = co_await count_again(browsing);
    if (!counted) co_return std::unexpected(counted.error());
    summarize();
    co_return left_.empty() && !declined_ ? kExitDone : kExitNo;
  }

  std::size_t matched() const { return matched_; }

  // Prints what has been done, also if the run failed.
  void summarize();

 private:
  bool prints_letters() const {
    return options_.action == Action::list || options_.action == Action::show || options_.dry_run;
  }
  bool asks() const {
    return options_.action == Action::purge && !options_.yes && !options_.dry_run;
  }
  bool is_enough() const { return options_.limit && matched_ >= *options_.limit; }

  Task<Result<void>> look_through();
  Task<Result<void>> take(DeadLetter letter);
  Task<Result<void>> keep(const DeadLetter& letter);
  Task<Result<void>> replay(const DeadLetter& letter);
  Task<Result<void>> add_to_batch(amqp::Message message, std::uint64_t tag, bool is_copy);
  bool is_batch_full() const;
  Task<Result<void>> publish_batch();
  Task<Result<void>> remove(std::span<const std::uint64_t> tags);
  Task<Result<std::vector<amqp::Settlement>>> publish();
  Task<Result<void>> purge();
  Task<Result<void>> end();
  Task<Result<void>> count_again(amqp::Connection& browsing);
  void print(const DeadLetter& letter);

  const config::Configuration& configuration_;
  const DeadLettersOptions& options_;
  const std::string queue_;
  const domain::Timestamp now_;
  Publishing& publishing_;
  const std::size_t columns_;
  terminal::Progress progress_;
  std::unique_ptr<amqp::Browser> browser_;
  bool takes_all_ = true;  // else a quorum queue would requeue the letters behind the rest
  bool copies_ = true;

  std::size_t total_ = 0;  // when the first was taken
  std::size_t looked_at_ = 0;
  std::size_t matched_ = 0;
  std::size_t done_ = 0;
  bool declined_ = false;
  bool output_failed_ = false;
  std::map<std::string, std::size_t> left_;  // why, and how many
  std::vector<std::uint64_t> to_purge_;      // delivery tags; with copies_: removed with each batch

  struct Origin {
    std::uint64_t tag;
    bool is_copy;  // of a letter that stays
  };
  std::vector<amqp::Message> batch_;
  std::vector<Origin> batch_origins_;
  std::size_t batch_bytes_ = 0;
};

Task<Result<void>> Run::look_through() {
  while ((!is_enough() && !output_failed_) || takes_all_) {
    auto taken = co_await browser_->next();
    if (!taken) co_return std::unexpected(taken.error());
    std::optional<amqp::Browsed>& message = *taken;
    if (!message) break;
    if (looked_at_ == 0) total_ = std::size_t{message->messages_behind} + 1;
    progress_.update(++looked_at_, total_);
    auto letter = read_dead_letter(queue_, looked_at_, std::move(message->delivery));
    const bool is_wanted = !is_enough() && !output_failed_ &&
                           (!options_.position || *options_.position == looked_at_) &&
                           matches(letter, options_.filter, now_);
    if (is_wanted) ++matched_;
    auto taken_up = is_wanted ? co_await take(std::move(letter)) : co_await keep(letter);
    if (!taken_up) co_return taken_up;
    if (looked_at_ >= total_) break;
  }
  auto published = co_await publish_batch();
  if (!published) co_return published;
  progress_.clear();
  if (output_failed_) co_return std::unexpected(failed("standard output cannot be written"));
  co_return Result<void>();
}

Task<Result<void>> Run::take(DeadLetter letter) {
  if (prints_letters()) print(letter);
  if (options_.action == Action::replay) co_return co_await replay(letter);
  if (options_.action != Action::purge) co_return co_await keep(letter);
  ++done_;
  if (options_.dry_run) co_return co_await keep(letter);
  to_purge_.push_back(letter.delivery.delivery_tag);
  if (!copies_ || !is_batch_full()) co_return Result<void>();
  co_return co_await publish_batch();
}

// A letter that could not be decoded completely is requeued nevertheless: a copy would differ.
Task<Result<void>> Run::keep(const DeadLetter& letter) {
  if (!copies_ || letter.delivery.undecodable) co_return Result<void>();
  co_return co_await add_to_batch(make_copy(letter), letter.delivery.delivery_tag, true);
}

void Run::print(const DeadLetter& letter) {
  std::string text;
  if (options_.json) {
    text = json_line(letter) + '\n';
  } else if (options_.action == Action::show) {
    text = full_text(letter);
  } else {
    if (matched_ == 1)
      text = fmt::format("{}\n{}\n", terminal::printable(queue_), table_head(columns_));
    text += table_line(letter, columns_) + '\n';
  }
  output_failed_ = std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
}

Task<Result<void>> Run::replay(const DeadLetter& letter) {
  // A kept reply goes to its client's queue, whatever its name.
  auto queues = config::request_queues(configuration_);
  if (options_.kept_replies && letter.original_queue) queues.push_back(*letter.original_queue);
  const auto queue = replay_queue(letter, options_.to, queues);
  if (!queue) {
    ++left_[queue.error()];
    co_return co_await keep(letter);
  }
  if (options_.dry_run) {
    ++done_;
    co_return co_await keep(letter);
  }
  co_return co_await add_to_batch(make_replay(letter, *queue), letter.delivery.delivery_tag, false);
}

Task<Result<void>> Run::add_to_batch(amqp::Message message, std::uint64_t tag, bool is_copy) {
  const auto& headers = message.properties.headers;
  const std::size_t size =
      message.body.size() + (headers ? headers->encoded().size() : std::size_t{0});
  if (!batch_.empty() && batch_bytes_ + size > kBatchBytesMax) {
    auto published = co_await publish_batch();
    if (!published) co_return published;
  }
  batch_.push_back(std::move(message));
  batch_origins_.push_back({tag, is_copy});
  batch_bytes_ += size;
  if (is_batch_full()) co_return co_await publish_batch();
  co_return Result<void>();
}

bool Run::is_batch_full() const {
  return copies_ ? batch_.size() + to_purge_.size() >= amqp::kRemovedAtOnceMax
                 : batch_.size() >= kBatchMax;
}

Task<Result<void>> Run::remove(std::span<const std::uint64_t> tags) {
  if (copies_) co_return browser_->begin_to_remove(tags);
  co_return co_await browser_->remove(tags);
}

Task<Result<void>> Run::publish_batch() {
  if (copies_) {
    auto removed = co_await remove(to_purge_);
    if (!removed) co_return removed;
    to_purge_.clear();
  }
  while (!batch_.empty()) {
    auto settlements = co_await publish();
    if (!settlements) co_return std::unexpected(settlements.error());
    std::vector<amqp::Message> smaller;
    std::vector<Origin> smaller_origins;
    std::vector<std::uint64_t> sent;
    std::size_t replayed = 0;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const amqp::Settlement settlement = (*settlements)[i];
      if (settlement == amqp::Settlement::confirmed) {
        sent.push_back(batch_origins_[i].tag);
        if (!batch_origins_[i].is_copy) ++replayed;
      } else if (batch_origins_[i].is_copy) {
        continue;  // it is requeued
      } else if (settlement == amqp::Settlement::too_large && drop_death_headers(batch_[i])) {
        smaller.push_back(std::move(batch_[i]));
        smaller_origins.push_back(batch_origins_[i]);
      } else {
        ++left_[why_not_taken(settlement, batch_[i].routing_key)];
      }
    }
    batch_ = std::move(smaller);
    batch_origins_ = std::move(smaller_origins);
    auto removed = co_await remove(sent);
    if (!removed) co_return removed;
    done_ += replayed;
  }
  batch_bytes_ = 0;
  co_return Result<void>();
}

// Publishes the batch. Returns a settlement for each message; an error if a queue does not exist.
Task<Result<std::vector<amqp::Settlement>>> Run::publish() {
  const auto publisher = co_await publishing_.get();
  if (!publisher) co_return std::unexpected(publisher.error());
  auto settlements = co_await publish_within(**publisher, batch_, kPublishTimeout);
  if (!settlements) co_return settlements;
  // A return may not identify its message among similar ones, so nothing is removed then.
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if ((*settlements)[i] == amqp::Settlement::returned && !options_.kept_replies) {
      co_return std::unexpected(failed(why_not_taken((*settlements)[i], batch_[i].routing_key)));
    }
  }
  co_return settlements;
}

Task<Result<void>> Run::purge() {
  if (to_purge_.empty()) co_return Result<void>();
  if (!options_.yes) {
    fmt::print(stderr, "{}: remove {} of the {} dead letters looked at? They are gone then. [y/N] ",
               terminal::printable(queue_), to_purge_.size(), looked_at_);
    const std::string answer = co_await read_answer();
    declined_ = answer != "y" && answer != "Y" && answer != "yes";
    if (declined_) {
      done_ = 0;
      co_return Result<void>();
    }
  }
  done_ = 0;
  for (std::span<const std::uint64_t> rest = to_purge_; !rest.empty();) {
    const auto some = rest.first(std::min(kBatchMax, rest.size()));
    auto removed = co_await browser_->remove(some);
    if (!removed) co_return removed;
    done_ += some.size();
    rest = rest.subspan(some.size());
  }
  co_return Result<void>();
}

// The broker does not confirm that a queue has removed messages, so the rest is counted.
Task<Result<void>> Run::count_again(amqp::Connection& browsing) {
  if (options_.action != Action::purge || options_.dry_run || done_ == 0) co_return Result<void>();
  const auto count = co_await browsing.count(queue_);
  if (!count) co_return std::unexpected(count.error());
  const std::size_t expected = total_ - std::min(done_, total_);
  if (count->ready > expected) {
    left_["they lie there still, or have come meanwhile"] = count->ready - expected;
  }
  co_return Result<void>();
}

Task<Result<void>> Run::end() {
  if (options_.action == Action::purge) co_return co_await purge();
  co_return Result<void>();
}

void Run::summarize() {
  progress_.clear();
  if (options_.action == Action::list && !options_.json && matched_ == 0) {
    fmt::print("{}: none of {} dead letters\n", terminal::printable(queue_), looked_at_);
  }
  if (options_.action != Action::replay && options_.action != Action::purge) return;
  fmt::print("{}: {}{} {} of {} looked at\n", terminal::printable(queue_),
             options_.dry_run ? "would have " : "",
             options_.action == Action::replay ? "replayed" : "removed", done_, looked_at_);
  for (const auto& [why, count] : left_) {
    fmt::print(stderr, "inventory-service: {}: left {}: {}\n", terminal::printable(queue_), count,
               why);
  }
}

bool is_absent(const amqp::Error& error) {
  constexpr std::uint16_t kNotFound = 404;
  return error.reply_code == kNotFound;
}

std::string explain(const std::string& queue, const amqp::Error& error) {
  if (!is_absent(error)) return error.what;
  return why_not_taken(amqp::Settlement::returned, queue) + ": has the service been started?";
}

Task<int> run_all(const config::Configuration& configuration, const DeadLettersOptions& options) {
  const domain::Timestamp now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  auto browsing = co_await connect(configuration, "inventory-service dead-letters");
  if (!browsing) co_return report_failure(browsing.error().what);
  Publishing publishing(configuration);
  int status = kExitDone;
  std::size_t matched = 0;
  // A service before 1.1 has declared only the queues of orders and items.
  std::size_t absent = 0;
  std::string first_absent;  // reported if no queue exists
  for (const std::string& request_queue : options.request_queues) {
    const std::string queue = options.kept_replies ? contract::kept_queue(request_queue)
                                                   : contract::dead_letter_queue(request_queue);
    Run run(configuration, options, queue, now, publishing);
    const auto ended = co_await run.run(**browsing);
    const bool skips = !ended && is_absent(ended.error()) && !options.named && run.matched() == 0;
    if (skips) {
      if (++absent == 1) first_absent = explain(queue, ended.error());
      continue;
    }
    if (!ended) {
      if (std::ferror(stdout) != 0) co_return kExitFailed;  // which main() explains
      run.summarize();
      co_return report_failure(explain(queue, ended.error()));
    }
    status = std::max(status, *ended);
    matched += run.matched();
    if (options.action == Action::show && matched > 0) break;
  }
  if (absent == options.request_queues.size()) co_return report_failure(first_absent);
  co_await publishing.close();
  co_await (*browsing)->close();
  if (options.action == Action::show && matched == 0) {
    fmt::print(stderr, "inventory-service: no such dead letter\n");
    co_return kExitNo;
  }
  co_return status;
}

}  // namespace

int dead_letters(const config::Configuration& configuration, const DeadLettersOptions& options) {
  const bool asks = options.action == Action::purge && !options.yes && !options.dry_run;
  if (asks && !terminal::is_terminal(STDIN_FILENO)) {
    report_failure("dead-letters purge: without a terminal to ask on it needs --yes, or --dry-run");
    return kExitUsage;
  }
  return run_to_end(run_all(configuration, options));
}

}  // namespace inventory::cli
