#include "server/serve.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "config/partition.h"
#include "config/settings.h"
#include "contract/queues.h"
#include "ops/health.h"
#include "ops/http_listener.h"
#include "ops/logging.h"
#include "ops/metrics_page.h"
#include "ops/process_metrics.h"
#include "ops/service_manager.h"
#include "server/console.h"
#include "server/flow_metrics.h"
#include "server/hold_metrics.h"
#include "server/item_pages.h"
#include "server/ledger_pages.h"
#include "server/migration_text.h"
#include "server/open_reader.h"
#include "server/open_store.h"
#include "server/page_reader.h"
#include "server/readiness.h"
#include "server/shutdown.h"
#include "service/amqp_broker.h"
#include "service/delivery_limit.h"
#include "service/flow.h"
#include "service/kinds.h"
#include "service/log_throttle.h"
#include "service/sweeper.h"

namespace inventory::server {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

constexpr std::chrono::milliseconds kMigrateFirst{250};
constexpr std::chrono::milliseconds kMigrateLast{10'000};

// Passes the events of a flow to the metrics, and its dead letters to the console.
class QueueObserver : public FlowMetrics {
 public:
  QueueObserver(prometheus::Registry& registry, const std::string& queue,
                std::span<const service::Outcome> outcomes, RecentLetters& letters)
      : FlowMetrics(registry, queue, outcomes), queue_(queue), letters_(letters) {}

  void dead_lettered(const amqp::Message& letter) override { letters_.add(queue_, letter); }

 private:
  std::string queue_;
  RecentLetters& letters_;
};

// The queue of one kind of request, with all that its flow needs.
struct ServedQueue {
  ServedQueue(const boost::asio::any_io_executor& executor,
              const config::Configuration& configuration, const service::KindRow& kind,
              const std::string& queue, const service::ReplyQueue& reply_queue,
              std::string_view switch_off, std::shared_ptr<service::Pulse> pulse,
              store::Store& store, service::Clock& clock, prometheus::Registry& registry,
              RecentLetters& letters, std::function<void()> on_change)
      : kind(kind.name),
        queue(queue),
        metrics(registry, queue, kind.outcomes, letters),
        delivery_limit(queue, clock),
        broker(service::AmqpBrokerOptions{
            .endpoint = configuration.amqp_endpoint,
            .tls = configuration.amqp_tls,
            .request_queue = queue,
            .other_queues = other_queues(queue, reply_queue),
            .events_exchange = configuration.events_exchange,
            .queue_type = configuration.queue_type,
            .prefetch = configuration.prefetch,
            .without_rights = advice(queue, switch_off),
            .delivery_limit = &delivery_limit,
        }),
        handler(kind.make_handler(
            {.queue = queue,
             .reply_queue = reply_queue,
             .bytes_max = configuration.message_bytes_max,
             .aside_max = std::max<std::size_t>(1, configuration.prefetch / 2),
             .pulse = std::move(pulse),
             .events = configuration.events_exchange.empty() ? std::nullopt
                                                             : std::optional(configuration.events),
             .partition = config::partition_of(configuration)},
            store, clock, metrics)),
        flow(executor,
             {.queue = queue,
              .batch_max = configuration.batch_max,
              .prefetch = configuration.prefetch,
              .seed = std::random_device()(),
              .events_exchange = configuration.events_exchange},
             broker, *handler, store, clock, std::move(on_change), metrics) {}

  static std::vector<std::string> other_queues(const std::string& queue,
                                               const service::ReplyQueue& reply_queue) {
    std::vector<std::string> queues{contract::dead_letter_queue(queue)};
    if (reply_queue.declared_by_us) {
      queues.push_back(reply_queue.name);
    }
    return queues;
  }

  static std::string advice(const std::string& queue, std::string_view switch_off) {
    auto text = fmt::format("grant the broker's user the rights on {} and {}", queue,
                            contract::dead_letter_queue(queue));
    if (!switch_off.empty()) text += fmt::format(", or start with {}", switch_off);
    return text;
  }

  std::string_view kind;
  const std::string& queue;
  QueueObserver metrics;
  service::DeliveryLimit delivery_limit;
  service::AmqpBroker broker;
  std::unique_ptr<service::Handler> handler;
  service::Flow flow;
  std::unique_ptr<service::Sweeper> sweeper;  // for the kind expiry: publishes its requests
};

// Service: everything that runs on the event loop of `serve`.
class Service {
 public:
  // `configuration`: of this partition. `whole`: of all partitions; the same without partitions.
  Service(const config::Configuration& configuration, const config::Configuration& whole,
          const std::string& http_token, const ops::BackgroundLog& log)
      : configuration_(configuration),
        whole_(whole),
        log_(log),
        store_(open_store(context_.get_executor(), configuration.database, owner_)),
        stopped_(context_, boost::asio::steady_timer::time_point::max()) {
    lines_dropped_ = &prometheus::BuildCounter()
                          .Name("inventory_log_lines_dropped_total")
                          .Help("Lines of the log that what it is written to did not take.")
                          .Register(*registry_)
                          .Add({});
    sweeper_failing_ = &prometheus::BuildGauge()
                            .Name("inventory_sweeper_failing")
                            .Help("1 while holds that are over are not looked for or asked for.")
                            .Register(*registry_)
                            .Add({});
    prometheus::BuildGauge()
        .Name("inventory_build_info")
        .Help("Always 1; its labels say what runs.")
        .Register(*registry_)
        .Add({{"version", INVENTORY_VERSION}})
        .Set(1);
    if (const auto& partition = owner_.partition) {
      prometheus::BuildGauge()
          .Name("inventory_partition_info")
          .Help("Always 1; its labels say which share of the products this is.")
          .Register(*registry_)
          .Add({{"partition", std::to_string(partition->number)},
                {"count", std::to_string(partition->count)}})
          .Set(1);
    }
    for (const service::KindRow& kind : service::kinds()) add_line(kind);
    if (configuration.http_listen) {
      http_.emplace(context_.get_executor(), *configuration.http_listen, routes(),
                    ops::HttpAccess{.hosts = configuration.http_hosts, .token = http_token});
    }
  }

  int run() {
    spdlog::info("inventory-service {} on {} and {}", INVENTORY_VERSION,
                 configuration_.amqp_endpoint.display(), config::display(configuration_.database));
    if (owner_.partition) {
      spdlog::info("{}: the products whose id mod {} is {}", store::display(*owner_.partition),
                   owner_.partition->count, owner_.partition->number);
    }
    if (http_ && configuration_.read_database != configuration_.database) {
      spdlog::info("http: items and the ledger are read from {}",
                   config::display(configuration_.read_database));
    }
    boost::asio::co_spawn(context_, shutdown_.run(), rethrow);
    if (http_) {
      boost::asio::co_spawn(context_, http_->run(), rethrow);
      boost::asio::co_spawn(context_, console_.run(), rethrow);
    }
    boost::asio::co_spawn(context_, work(), rethrow);
    context_.run();
    return shutdown_.exit_status();
  }

 private:
  void add_line(const service::KindRow& kind) {
    const auto settings =
        std::ranges::find(config::queue_settings(), kind.name, &config::QueueSettings::kind);
    const std::string& queue = configuration_.*settings->queue;
    if (queue.empty()) return;  // switched off
    const std::string reply_queue = settings->reply_queue == nullptr
                                        ? contract::reply_queue(whole_.*settings->queue)
                                        : configuration_.*settings->reply_queue;
    const std::string switch_off =
        settings->can_be_none ? fmt::format("--{} none", settings->queue_setting) : "";
    served_.push_back(std::make_unique<ServedQueue>(
        context_.get_executor(), configuration_, kind, queue,
        service::ReplyQueue{reply_queue, kind.declares_reply_queue}, switch_off, pulse_, *store_,
        clock_, *registry_, console_.letters(), [this] { announce(); }));
    if (kind.name == "expiry") {
      ServedQueue& served = *served_.back();
      served.sweeper = std::make_unique<service::Sweeper>(context_.get_executor(),
                                                          service::SweeperOptions{.queue = queue},
                                                          served.broker, *store_, clock_);
    }
  }

  // The pages of the HTTP listener. Handlers that need the database suspend; see ops/http.h.
  std::vector<ops::HttpRoute> routes() {
    using ops::immediately;
    std::vector<ops::HttpRoute> routes{
        {"/livez", immediately([](const auto&) { return ops::HttpResponse{.body = "ok\n"}; }),
         true},
        {"/readyz", immediately([this](const ops::HttpRequest& request) {
           const bool verbose = ops::query_parameter(request.query, "verbose").has_value();
           return ops::readiness(health_checks(), verbose);
         }),
         true},
        {"/metrics", immediately([this](const auto&) { return metrics_page(); }), true},
        {"/items/",
         [this](ops::HttpRequest request) {
           return LedgerPages::is_of_product(request.path)
                      ? ledger_pages_.of_product(std::move(request))
                      : item_pages_.one(std::move(request));
         }},
        {"/items",
         [this](ops::HttpRequest request) { return item_pages_.page(std::move(request)); }, false,
         kSearchTimeout + std::chrono::milliseconds(200)},
        {"/orders/",
         [this](ops::HttpRequest request) { return ledger_pages_.of_order(std::move(request)); }},
    };
    std::ranges::move(console_.routes(), std::back_inserter(routes));
    return routes;
  }

  // The flow's own status counts only once the flows run.
  service::Status status_of(const ServedQueue& served) const {
    if (shutdown_.has_begun()) return {service::Condition::stopping, std::string(kFinishing)};
    if (running_ == 0 && !database_problem_.empty()) {
      return {service::Condition::database_unavailable, database_problem_};
    }
    return served.flow.status();
  }

  std::vector<ops::HealthCheck> health_checks() const {
    std::vector<QueueStatus> queues;
    queues.reserve(served_.size());
    for (const auto& served : served_) {
      queues.push_back({served->queue, status_of(*served), served->delivery_limit.note()});
    }
    auto checks = readiness_checks(queues, schema_problem_, sweeper_status());
    if (owner_.partition) checks.push_back({"partition", "", partition_text()});
    return checks;
  }

  // "3 of 16"; empty for an undivided stock.
  std::string partition_text() const {
    const auto& partition = owner_.partition;
    return partition ? fmt::format("{} of {}", partition->number, partition->count) : "";
  }

  SweeperStatus sweeper_status() const {
    const auto sweeping = std::ranges::find_if(
        served_, [](const auto& served) { return served->sweeper != nullptr; });
    if (sweeping == served_.end()) return {};
    const service::Sweeper& sweeper = *(*sweeping)->sweeper;
    return {sweeper.problem(), sweeper.has_outage()};
  }

  std::vector<ConsoleQueue> console_queues() const {
    std::vector<ConsoleQueue> queues;
    queues.reserve(served_.size());
    for (const auto& served : served_) {
      queues.push_back({served->kind, served->queue, status_of(*served), &served->metrics});
    }
    return queues;
  }

  ops::HttpResponse metrics_page() {
    const auto now = clock_.steady_now();
    for (const auto& served : served_) {
      served->metrics.refresh(served->flow.status(), served->delivery_limit.limit(), now);
    }
    sweeper_failing_->Set(sweeper_status().problem.empty() ? 0 : 1);
    lines_dropped_->Increment(static_cast<double>(log_.dropped()) - lines_dropped_->Value());
    return ops::metrics_page(metrics_);
  }

  service::Task<void> work() {
    manager_.ready();
    if (co_await bring_up_to_date()) {
      running_ = served_.size() + 1;
      boost::asio::co_spawn(context_, run_flow(hold_metrics_), rethrow);
      for (const auto& served : served_) {
        boost::asio::co_spawn(context_, run_flow(served->flow), rethrow);
        if (!served->sweeper) continue;
        ++running_;
        boost::asio::co_spawn(context_, run_flow(*served->sweeper), rethrow);
      }
    } else {
      finish();
    }
  }

  // Tries to migrate the database until that succeeds. Returns false if told to stop before.
  service::Task<bool> bring_up_to_date() {
    service::Backoff backoff(kMigrateFirst, kMigrateLast, std::random_device()());
    service::LogThrottle failures(clock_);
    std::vector<std::string> said;
    while (!shutdown_.has_begun()) {
      std::vector<std::string> problems;
      const auto plan = co_await store_->plan_migration();
      auto migrated = store::Result<int>(0);
      if (!plan) {
        migrated = std::unexpected(plan.error());
      } else {
        problems = objections(*plan, configuration_.require_stock);
        if (problems.empty()) migrated = co_await store_->migrate();
      }
      if (!migrated) problems = {migrated.error().what};
      if (problems.empty()) {
        if (*migrated > 0) {
          spdlog::info("database: {}", server::describe(*plan));
          spdlog::info("database: applied {} migration(s)", *migrated);
        }
        schema_problem_.clear();
        co_return true;
      }
      const auto pause = backoff.next();
      const bool is_away = !migrated && migrated.error().fault == store::Fault::link_lost;
      const auto problem = fmt::to_string(fmt::join(problems, "; "));
      database_problem_ = is_away ? problem : "";
      schema_problem_ = is_away ? "not looked at yet" : problem;
      manager_.status("waiting for the database: " + problem);
      // A line for each problem, once; after that only those of the throttle.
      if (problems.size() > 1 && problems != said) {
        for (const std::string& each : problems) spdlog::warn("database: {}", each);
      }
      said = problems;
      failures.warn(
          "database",
          fmt::format("database: {}; trying again in {} ms",
                      problems.size() == 1 ? problem
                                           : fmt::format("{} things are in the way, the first: {}",
                                                         problems.size(), problems.front()),
                      pause.count()));
      stopped_.expires_after(pause);
      boost::system::error_code cancelled;
      co_await stopped_.async_wait(redirect_error(use_awaitable, cancelled));
    }
    co_return false;
  }

  // Runs a flow, or what runs beside the flows.
  template <class Flow>
  service::Task<void> run_flow(Flow& flow) {
    co_await flow.run();
    if (--running_ == 0) {
      finish();
    }
  }

  void stop() {
    stopped_.cancel();  // of the wait for the database
    for (const auto& served : served_) {
      served->flow.stop();
      if (served->sweeper) served->sweeper->stop();
    }
    hold_metrics_.stop();
  }

  // Ends the waits for signals and the budget, which are all that still runs.
  void finish() {
    if (http_) {
      http_->stop();
    }
    console_.stop();
    shutdown_.finish();
  }

  void announce() {
    const bool ready = std::ranges::all_of(
        served_, [](const auto& served) { return served->flow.is_consuming(); });
    if (ready && !ready_) {
      spdlog::info("ready: consuming {}", queue_list());
    }
    ready_ = ready;
    if (shutdown_.has_begun()) return;
    std::vector<std::string> texts;
    texts.reserve(served_.size());
    for (const auto& served : served_) {
      texts.push_back(served->flow.is_consuming()
                          ? "consuming " + served->queue
                          : served->queue + ": " + served->flow.status().reason);
    }
    manager_.status(fmt::to_string(fmt::join(texts, "; ")));
  }

  // "a, b and c".
  std::string queue_list() const {
    std::string list;
    for (std::size_t i = 0; i < served_.size(); ++i) {
      if (i > 0) list += i + 1 == served_.size() ? " and " : ", ";
      list += served_[i]->queue;
    }
    return list;
  }

  const config::Configuration& configuration_;
  const config::Configuration& whole_;
  const store::TablesOwner owner_{.partition = config::partition_of(configuration_)};
  const ops::BackgroundLog& log_;
  boost::asio::io_context context_{1};
  std::unique_ptr<store::Store> store_;
  PageReader page_reader_{
      context_.get_executor(),
      [this] { return open_reader(configuration_.read_database, owner_, kPageReadTimeout); }};
  PageReader search_reader_{
      context_.get_executor(),
      [this] { return open_reader(configuration_.read_database, owner_, kSearchTimeout); },
      kSearchTimeout};
  ItemPages item_pages_{page_reader_, search_reader_};
  LedgerPages ledger_pages_{page_reader_};
  service::SystemClock clock_;
  std::shared_ptr<service::Pulse> pulse_ = std::make_shared<service::Pulse>();
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics_{
      registry_, std::make_shared<ops::ProcessMetrics>()};
  prometheus::Counter* lines_dropped_ = nullptr;  // of the registry
  prometheus::Gauge* sweeper_failing_ = nullptr;  // of the registry
  HoldMetrics hold_metrics_{
      context_.get_executor(),
      [this] { return open_reader(configuration_.database, owner_, kHoldCountTimeout); }, clock_,
      *registry_};
  Console console_{context_.get_executor(),
                   clock_,
                   amqp_queue_counter(configuration_.amqp_endpoint, configuration_.amqp_tls),
                   configuration_.request_queues(),
                   {.checks = [this] { return health_checks(); },
                    .queues = [this] { return console_queues(); },
                    .holds = [this] { return hold_metrics_.last(); },
                    .partition = partition_text()}};
  std::vector<std::unique_ptr<ServedQueue>> served_;  // one for each kind of request
  std::optional<ops::HttpListener> http_;
  ops::ServiceManager manager_{context_.get_executor()};
  Shutdown shutdown_{context_, manager_, configuration_.shutdown_budget, [this] { stop(); }};
  boost::asio::steady_timer stopped_;
  std::string database_problem_;  // while the schema is being brought up to date
  std::string schema_problem_ = "not looked at yet";
  std::size_t running_ = 0;  // flows, and what runs beside them
  bool ready_ = false;
};

}  // namespace

int serve(const config::Configuration& configuration, const std::string& http_token) {
  const ops::BackgroundLog log(configuration.log_level, configuration.log_format);
  const auto mine = config::in_each_partition(configuration);
  return Service(mine.front(), configuration, http_token, log).run();
}

}  // namespace inventory::server
