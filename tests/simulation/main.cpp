// simulation: runs the service in simulated worlds, one for each seed, and checks the promises.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "world.h"

namespace inventory::simulation {
namespace {

struct Options {
  std::optional<std::uint64_t> seed;
  std::uint64_t seeds = 1'000;
  std::uint64_t first_seed = 1;
  std::optional<std::uint64_t> minutes;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
};

// One of this many seeds is run twice, and must give the same result.
constexpr std::uint64_t kReplayEvery = 100;

struct Totals {
  std::uint64_t seeds = 0;
  Outcome sums;
  std::chrono::duration<double> lasted{0};
  std::optional<std::uint64_t> violated_by;  // the lowest such seed
  std::string violation;

  void add(std::uint64_t seed, const Outcome& outcome) {
    ++seeds;
    sums.requests += outcome.requests;
    sums.replies += outcome.replies;
    sums.undeliverable_replies += outcome.undeliverable_replies;
    sums.replays += outcome.replays;
    sums.dead_letters += outcome.dead_letters;
    sums.refusals += outcome.refusals;
    sums.kept_replies += outcome.kept_replies;
    sums.given_up += outcome.given_up;
    sums.longest_wait = std::max(sums.longest_wait, outcome.longest_wait);
    sums.holds += outcome.holds;
    sums.expired += outcome.expired;
    sums.confirmed += outcome.confirmed;
    sums.longest_overdue = std::max(sums.longest_overdue, outcome.longest_overdue);
    sums.events += outcome.events;
    sums.events_again += outcome.events_again;
    sums.steps += outcome.steps;
    sums.processes += outcome.processes;
    lasted += outcome.lasted;
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
      sums.faults[kind] += outcome.faults[kind];
    }
    if (outcome.violation && (!violated_by || seed < *violated_by)) {
      violated_by = seed;
      violation = *outcome.violation;
    }
  }
};

Outcome run_seed(std::uint64_t seed, bool is_traced) {
  try {
    return World(seed, is_traced).run();
  } catch (const std::exception& thrown) {
    Outcome outcome;
    outcome.violation = fmt::format("nothing throws: {}", thrown.what());
    return outcome;
  }
}

Outcome run_and_replay(std::uint64_t seed) {
  Outcome outcome = run_seed(seed, false);
  if (seed % kReplayEvery == 0 && !outcome.violation &&
      run_seed(seed, false).fingerprint != outcome.fingerprint) {
    outcome.violation = "a seed gives the same twice: it did not";
  }
  return outcome;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), next_seed_(options.first_seed) {}

  Totals run() {
    std::vector<std::jthread> threads;
    threads.reserve(options_.threads);
    for (unsigned i = 0; i < options_.threads; ++i) {
      threads.emplace_back([this] { work(); });
    }
    threads.clear();
    return totals_;
  }

 private:
  void work() {
    for (std::uint64_t seed = next_seed_++; !is_over(seed); seed = next_seed_++) {
      const Outcome outcome = run_and_replay(seed);
      const std::scoped_lock lock(mutex_);
      totals_.add(seed, outcome);
      if (std::chrono::steady_clock::now() >= next_report_) {
        fmt::print(stderr, "{} seeds, {} requests\n", totals_.seeds, totals_.sums.requests);
        next_report_ = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      }
    }
  }

  bool is_over(std::uint64_t seed) {
    const std::scoped_lock lock(mutex_);
    if (totals_.violated_by) {
      return true;
    }
    return options_.minutes ? std::chrono::steady_clock::now() - begin_ >=
                                  std::chrono::minutes(*options_.minutes)
                            : seed >= options_.first_seed + options_.seeds;
  }

  const Options& options_;
  std::atomic<std::uint64_t> next_seed_;
  std::mutex mutex_;
  Totals totals_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point next_report_ = begin_ + std::chrono::seconds(10);
};

int report(const Totals& totals, std::chrono::duration<double> took) {
  const Outcome& sums = totals.sums;
  fmt::print("{} seeds in {:.1f} s: {:.0f} hours of virtual time, {} steps, {} processes\n",
             totals.seeds, took.count(), totals.lasted.count() / 3600, sums.steps, sums.processes);
  fmt::print("{} requests\n", sums.requests);
  fmt::print("{} replies delivered, {} of them replays; {} for queues that were gone\n",
             sums.replies, sums.replays, sums.undeliverable_replies - sums.given_up);
  fmt::print("{} replies kept for silent queues, {} given up\n", sums.kept_replies, sums.given_up);
  fmt::print("{} dead letters, {} of them refused after minutes\n", sums.dead_letters,
             sums.refusals);
  fmt::print("longest wait of a request that is not bad itself, in a calm world: {:.1f} s\n",
             std::chrono::duration<double>(sums.longest_wait).count());
  fmt::print("{} orders held, {} confirmations, {} holds given back since they were over\n",
             sums.holds, sums.confirmed, sums.expired);
  fmt::print("longest that a hold was over and not given back, in a calm world: {:.1f} s\n",
             std::chrono::duration<double>(sums.longest_overdue).count());
  fmt::print("{} events told, {} of them once more\n", sums.events, sums.events_again);
  std::uint64_t faults = 0;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    fmt::print("  {:<24}{:>10}\n", kFaultNames[kind], sums.faults[kind]);
    faults += sums.faults[kind];
  }
  fmt::print("{} faults, {} violations\n", faults, totals.violated_by ? 1 : 0);
  if (!totals.violated_by) {
    return 0;
  }
  fmt::print("seed {} breaks a promise: {}\nto replay it: simulation --seed {}\n",
             *totals.violated_by, totals.violation, *totals.violated_by);
  return 1;
}

int run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  Totals totals;
  if (options.seed) {
    spdlog::set_level(spdlog::level::debug);
    spdlog::set_pattern("             %v");
    totals.add(*options.seed, run_seed(*options.seed, true));
  } else {
    spdlog::set_level(spdlog::level::off);
    totals = Run(options).run();
  }
  return report(totals, std::chrono::steady_clock::now() - begin);
}

}  // namespace
}  // namespace inventory::simulation

int main(int argc, char** argv) {
  inventory::simulation::Options options;
  CLI::App app{"Runs the inventory service in simulated worlds, one a seed."};
  app.add_option("--seed", options.seed, "run this seed alone, with a trace on stderr");
  app.add_option("--seeds", options.seeds, "how many seeds to run")->capture_default_str();
  app.add_option("--first-seed", options.first_seed, "the first of them")->capture_default_str();
  app.add_option("--minutes", options.minutes, "run for so long instead");
  app.add_option("--threads", options.threads, "how many seeds at a time")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return inventory::simulation::run(options);
}
