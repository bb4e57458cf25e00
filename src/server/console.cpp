#include "server/console.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unistd.h>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "contract/queues.h"
#include "contract/timestamp.h"
#include "server/console_files.h"
#include "terminal/printable.h"

namespace inventory::server {
namespace {

namespace json = boost::json;
using namespace boost::asio::experimental::awaitable_operators;

std::vector<std::string> with_dead_letters(const std::vector<std::string>& queues) {
  std::vector<std::string> all;
  for (const std::string& queue : queues) {
    all.push_back(queue);
    all.push_back(contract::dead_letter_queue(queue));
  }
  return all;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return terminal::printable(name.data());
}

json::value milliseconds_json(const std::optional<double>& seconds) {
  if (!seconds) return nullptr;
  return std::round(*seconds * 1e6) / 1e3;
}

json::object history_json(const History& history) {
  json::array done;
  json::array p50;
  json::array p99;
  for (const History::Point& point : history.points()) {
    done.push_back(point.done ? json::value(*point.done) : nullptr);
    p50.push_back(milliseconds_json(point.p50_seconds));
    p99.push_back(milliseconds_json(point.p99_seconds));
  }
  return {{"decided", std::move(done)}, {"p50_ms", std::move(p50)}, {"p99_ms", std::move(p99)}};
}

ops::HttpResponse json_answer(std::string body) {
  return {.body = std::move(body) += '\n', .content_type = "application/json"};
}

ops::HttpResponse file_answer(std::string_view name) {
  for (const ConsoleFile& file : console_files()) {
    if (file.name != name) continue;
    return {.body = std::string(file.content), .content_type = std::string(content_type(name))};
  }
  return {.status = 404, .body = "there is nothing here\n"};
}

}  // namespace

Console::Console(const boost::asio::any_io_executor& executor, service::Clock& clock,
                 OpenQueueCounter open_counter, const std::vector<std::string>& queues,
                 ConsoleSources sources)
    : clock_(clock),
      sources_(std::move(sources)),
      pause_(executor, clock),
      watch_(executor, std::move(open_counter), clock, with_dead_letters(queues)),
      started_at_(clock.now()),
      last_point_at_(started_at_) {}

std::vector<ops::HttpRoute> Console::routes() {
  static constexpr std::string_view kFolder = "/console/";
  using ops::immediately;
  return {
      {"/", immediately([](const auto&) { return file_answer("index.html"); })},
      {std::string(kFolder), immediately([](const ops::HttpRequest& request) {
         return file_answer(std::string_view(request.path).substr(kFolder.size()));
       })},
      {"/status", immediately([this](const auto&) { return json_answer(status_json()); })},
      {"/dead-letters",
       immediately([this](const auto&) { return json_answer(dead_letters_json()); })},
  };
}

boost::asio::awaitable<void> Console::run() { co_await (keep_history() && watch_.run()); }

void Console::stop() {
  pause_.stop();
  watch_.stop();
}

boost::asio::awaitable<void> Console::keep_history() {
  auto next = clock_.steady_now();
  while (!pause_.is_stopping()) {
    const auto now = clock_.steady_now();
    for (const ConsoleQueue& queue : sources_.queues()) {
      histories_.try_emplace(queue.queue, FlowMetrics::process_limits())
          .first->second.add(now, queue.metrics->process_counts());
    }
    last_point_at_ = clock_.now();
    while (next <= now) next += History::kInterval;
    co_await pause_.wait(std::chrono::ceil<std::chrono::milliseconds>(next - now));
  }
}

std::string Console::status_json() {
  watch_.look();
  const auto checks = sources_.checks();
  json::object status;
  status["instance"] = {
      {"version", INVENTORY_VERSION},
      {"host", host_name()},
      {"pid", getpid()},
      {"started_at", contract::format_timestamp(started_at_)},
      {"partition", sources_.partition.empty() ? json::value() : json::value(sources_.partition)}};
  status["now"] = contract::format_timestamp(clock_.now());
  status["ready"] = ops::is_ready(checks);
  json::array& checks_json = status["checks"].emplace_array();
  for (const auto& [name, problem, note] : checks) {
    checks_json.push_back({{"name", name},
                           {"problem", terminal::printable(problem)},
                           {"note", terminal::printable(note)}});
  }
  json::array& queues = status["queues"].emplace_array();
  json::object histories;
  for (const auto& [kind, queue, flow, metrics] : sources_.queues()) {
    const auto count = watch_.count_of(queue);
    const auto letters = watch_.count_of(contract::dead_letter_queue(queue));
    const auto now = metrics->now();
    queues.push_back({{"kind", kind},
                      {"queue", terminal::printable(queue)},
                      {"condition", service::to_string(flow.condition)},
                      {"reason", terminal::printable(flow.reason)},
                      {"ready", count ? json::value(count->ready) : nullptr},
                      {"consumers", count ? json::value(count->consumers) : nullptr},
                      {"in_flight", now.in_flight},
                      {"replies_waiting", now.replies_waiting},
                      {"put_aside", now.put_aside},
                      {"dead_letters", letters ? json::value(letters->ready) : nullptr}});
    if (const auto history = histories_.find(queue); history != histories_.end()) {
      histories[terminal::printable(queue)] = history_json(history->second);
    }
  }
  status["holds"] = nullptr;
  if (const auto holds = sources_.holds()) {
    status["holds"] = {
        {"open", holds->open},
        {"due", holds->due},
        {"overdue_seconds", std::chrono::floor<std::chrono::seconds>(holds->overdue).count()}};
  }
  status["history"] = {{"interval_seconds", History::kInterval.count()},
                       {"last_at", contract::format_timestamp(last_point_at_)},
                       {"queues", std::move(histories)}};
  return json::serialize(status);
}

std::string Console::dead_letters_json() {
  watch_.look();
  json::array queues;
  for (const ConsoleQueue& source : sources_.queues()) {
    const std::string queue = contract::dead_letter_queue(source.queue);
    const auto count = watch_.count_of(queue);
    queues.push_back({{"queue", terminal::printable(queue)},
                      {"count", count ? json::value(count->ready) : nullptr}});
  }
  return fmt::format(R"({{"queues":{},"letters":{},"since":"{}"}})", json::serialize(queues),
                     letters_.as_json(), contract::format_timestamp(started_at_));
}

}  // namespace inventory::server
