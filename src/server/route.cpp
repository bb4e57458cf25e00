#include "server/route.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "config/settings.h"
#include "contract/queues.h"
#include "ops/health.h"
#include "ops/http_listener.h"
#include "ops/logging.h"
#include "ops/metrics_page.h"
#include "ops/process_metrics.h"
#include "ops/service_manager.h"
#include "router/amqp_reserves.h"
#include "router/router.h"
#include "server/router_metrics.h"
#include "server/shutdown.h"
#include "service/amqp_broker.h"
#include "service/delivery_limit.h"

namespace inventory::server {
namespace {

// The queue from which a kind of request is routed; empty: switched off.
const std::string& source_queue_of(const router::RoutedKind& kind,
                                   const config::Configuration& configuration) {
  const auto settings =
      std::ranges::find(config::queue_settings(), kind.name, &config::QueueSettings::kind);
  return configuration.*settings->queue;
}

std::uint32_t count_of(const config::Configuration& configuration) {
  return configuration.partitions.value_or(config::Partitions()).count;
}

// One source queue with all that its router needs.
struct Source {
  Source(const boost::asio::any_io_executor& executor, const config::Configuration& configuration,
         const router::RoutedKind& kind, const std::string& source_queue, service::Clock& clock,
         prometheus::Registry& registry, std::function<void()> on_change)
      : queue(source_queue),
        metrics(registry, queue, count_of(configuration)),
        delivery_limit(queue, clock),
        broker(service::AmqpBrokerOptions{
            .endpoint = configuration.amqp_endpoint,
            .tls = configuration.amqp_tls,
            .request_queue = queue,
            .other_queues = {contract::dead_letter_queue(queue)},
            .queue_type = configuration.queue_type,
            .prefetch = configuration.prefetch,
            .without_rights =
                fmt::format("grant the broker's user the rights on {0} and {0}.*", queue),
            .delivery_limit = &delivery_limit,
        }),
        reserves(executor, {.endpoint = configuration.amqp_endpoint,
                            .tls = configuration.amqp_tls,
                            .name = "inventory-service looks after " + queue}),
        router(executor,
               {.queue = queue,
                .choose = kind.choose,
                .partitions = count_of(configuration),
                .prefetch = configuration.prefetch,
                .bytes_max = configuration.message_bytes_max,
                .user = configuration.amqp_endpoint.user,
                .seed = std::random_device()()},
               broker, reserves, clock, std::move(on_change)) {}

  const std::string& queue;
  RouterMetrics metrics;
  service::DeliveryLimit delivery_limit;
  service::AmqpBroker broker;
  router::AmqpReserves reserves;
  router::Router router;
};

// RouterService: everything that runs on the event loop of `route`.
class RouterService {
 public:
  RouterService(const config::Configuration& configuration, const std::string& http_token,
                const ops::BackgroundLog& log)
      : configuration_(configuration), log_(log) {
    lines_dropped_ = &prometheus::BuildCounter()
                          .Name("inventory_log_lines_dropped_total")
                          .Help("Lines of the log that what it is written to did not take.")
                          .Register(*registry_)
                          .Add({});
    prometheus::BuildGauge()
        .Name("inventory_build_info")
        .Help("Always 1; its labels say what runs.")
        .Register(*registry_)
        .Add({{"version", INVENTORY_VERSION}})
        .Set(1);
    for (const router::RoutedKind& kind : router::routed_kinds()) {
      const std::string& queue = source_queue_of(kind, configuration);
      if (queue.empty()) continue;
      sources_.push_back(std::make_unique<Source>(context_.get_executor(), configuration, kind,
                                                  queue, clock_, *registry_,
                                                  [this] { announce(); }));
    }
    if (configuration.http_listen) {
      http_.emplace(context_.get_executor(), *configuration.http_listen, routes(),
                    ops::HttpAccess{.hosts = configuration.http_hosts, .token = http_token});
    }
  }

  int run() {
    spdlog::info("inventory-service {} routes to {} partitions on {}", INVENTORY_VERSION,
                 count_of(configuration_), configuration_.amqp_endpoint.display());
    boost::asio::co_spawn(context_, shutdown_.run(), rethrow);
    if (http_) boost::asio::co_spawn(context_, http_->run(), rethrow);
    manager_.ready();
    running_ = sources_.size();
    for (const auto& source : sources_) {
      boost::asio::co_spawn(context_, run_router(source->router), rethrow);
    }
    context_.run();
    return shutdown_.exit_status();
  }

 private:
  std::vector<ops::HttpRoute> routes() {
    using ops::immediately;
    return {
        {"/livez", immediately([](const auto&) { return ops::HttpResponse{.body = "ok\n"}; }),
         true},
        {"/readyz", immediately([this](const ops::HttpRequest& request) {
           const bool verbose = ops::query_parameter(request.query, "verbose").has_value();
           return ops::readiness(health_checks(), verbose);
         }),
         true},
        {"/metrics", immediately([this](const auto&) { return metrics_page(); }), true},
    };
  }

  // A check for each source queue. If a partition takes nothing, that is a note: the others do.
  std::vector<ops::HealthCheck> health_checks() const {
    std::vector<ops::HealthCheck> checks;
    for (const auto& source : sources_) {
      ops::HealthCheck check{source->queue, ""};
      const service::Status& status = source->router.status();
      if (shutdown_.has_begun()) {
        check.problem = kFinishing;
      } else if (!source->router.is_consuming()) {
        check.problem = status.reason;
      }
      check.note = source->router.note();
      const std::string limit = source->delivery_limit.note();
      if (!limit.empty()) check.note += (check.note.empty() ? "" : "; ") + limit;
      checks.push_back(std::move(check));
    }
    return checks;
  }

  ops::HttpResponse metrics_page() {
    for (const auto& source : sources_) source->metrics.refresh(source->router);
    lines_dropped_->Increment(static_cast<double>(log_.dropped()) - lines_dropped_->Value());
    return ops::metrics_page(metrics_);
  }

  service::Task<void> run_router(router::Router& router) {
    co_await router.run();
    if (--running_ == 0) finish();
  }

  void stop() {
    for (const auto& source : sources_) source->router.stop();
  }

  // Ends the waits for signals and the budget, which are all that still runs.
  void finish() {
    if (http_) http_->stop();
    shutdown_.finish();
  }

  void announce() {
    const bool ready = std::ranges::all_of(
        sources_, [](const auto& source) { return source->router.is_consuming(); });
    std::vector<std::string> queues;
    std::vector<std::string> texts;
    for (const auto& source : sources_) {
      const router::Router& router = source->router;
      queues.push_back(source->queue);
      texts.push_back(router.is_consuming()
                          ? "routing " + source->queue
                          : fmt::format("{}: {}", source->queue, router.status().reason));
      if (const auto note = router.note(); !note.empty()) texts.back() += ": " + note;
    }
    if (ready && !ready_) spdlog::info("ready: routing {}", fmt::join(queues, ", "));
    ready_ = ready;
    if (!shutdown_.has_begun()) manager_.status(fmt::to_string(fmt::join(texts, "; ")));
  }

  const config::Configuration& configuration_;
  const ops::BackgroundLog& log_;
  boost::asio::io_context context_{1};
  service::SystemClock clock_;
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics_{
      registry_, std::make_shared<ops::ProcessMetrics>()};
  prometheus::Counter* lines_dropped_ = nullptr;  // owned by the registry
  std::vector<std::unique_ptr<Source>> sources_;
  std::optional<ops::HttpListener> http_;
  ops::ServiceManager manager_{context_.get_executor()};
  Shutdown shutdown_{context_, manager_, configuration_.shutdown_budget, [this] { stop(); }};
  std::size_t running_ = 0;  // routers
  bool ready_ = false;
};

}  // namespace

std::expected<void, std::string> check_for_route(const config::Configuration& configuration) {
  if (!configuration.partitions || configuration.partitions->number) {
    return std::unexpected("needs --partition all/COUNT: to how many partitions it routes");
  }
  for (const router::RoutedKind& kind : router::routed_kinds()) {
    const std::string& name = source_queue_of(kind, configuration);
    if (name.empty()) continue;
    const auto longest = contract::reserve_queue(
        contract::partition_queue(name, configuration.partitions->count - 1));
    if (longest.size() > contract::kQueueNameBytesMax) {
      return std::unexpected(
          fmt::format("the name of a queue is too long for those of its partitions: {}",
                      config::quoted_for_message(name)));
    }
  }
  return {};
}

int route(const config::Configuration& configuration, const std::string& http_token) {
  const ops::BackgroundLog log(configuration.log_level, configuration.log_format);
  return RouterService(configuration, http_token, log).run();
}

}  // namespace inventory::server
