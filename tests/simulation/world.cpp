#include "world.h"

#include <algorithm>
#include <array>
#include <utility>

namespace inventory::simulation {
namespace {

constexpr Time kFaultsMax = seconds(120);      // the longest time with faults
constexpr Time kLongFaultsMax = seconds(900);  // long enough for refusals after minutes
constexpr Time kDrainMax = seconds(900);  // backoffs, heartbeats and timeouts, one after another
constexpr Time kCalmMax = seconds(60);    // half a minute, in a process that may have just started
constexpr Time kStopMax = seconds(120);
constexpr Time kHoldMax = seconds(60);  // longer holds are left open
constexpr Time kShutdownBudget = seconds(20);
constexpr Time kEventsBadMax = seconds(60);

std::optional<domain::Telling> draw_telling(Random& random) {
  if (random.chance(250)) return std::nullopt;
  return random.chance(500) ? domain::Telling::levels : domain::Telling::all;
}

}  // namespace

World::World(std::uint64_t seed, bool is_traced)
    : environment_(seed, is_traced), products_(environment_.random.between(1, 4)) {
  Random& random = environment_.random;
  for (std::uint64_t product = 1; product <= products_; ++product) {
    const auto id = database_.draw_id();
    const auto stock = static_cast<domain::Quantity>(random.below(12));
    environment_.tables.items[id] = {id, stock, std::nullopt, {}};
    if (random.chance(500)) {
      environment_.tables.items[id].low_stock = static_cast<domain::Quantity>(random.below(6));
    }
    environment_.tables.ledger[{id, std::string(domain::kOpening)}] = {
        .key = {id, std::string(domain::kOpening)},
        .outcome = domain::Outcome::opening,
        .quantity = stock,
        .delta = stock};
  }
  initial_ = environment_.tables;
  environment_.kill = [this](const LifePointer& life) { kill(life); };
  for (const service::KindRow& kind : service::kinds()) {
    broker_.declare(std::string(kind.queue));
  }
  if (random.chance(500)) {
    broker_.declare(std::string(kItemReplies));
  }
  clients_ = std::make_unique<SimulatedClients>(environment_, broker_, products_);
  const bool is_calm = environment_.faults.is_calm();
  const bool is_roomy = environment_.faults.has_bad_things() && (is_calm || random.chance(500));
  has_room_ = is_roomy;
  options_ = {.prefetch = is_roomy ? 500 : std::array{1U, 3U, 20U, 100U}[random.below(4)],
              .batch_max = std::array{1U, 2U, 5U, 50U}[random.below(4)],
              .pause_after = random.chance(500) ? seconds(60) : seconds(5),
              .aside_max = !is_calm && random.chance(200) ? random.between(1, 10) : 1'500,
              .sweep_page = std::array{1U, 3U, 1'000U}[random.below(3)],
              .events = draw_telling(random)};
  environment_.checks.events().set_telling(options_.events);
  if (options_.aside_max >= 1'500) {
    environment_.checks.set_refused_min(service::kFailingMax);
  } else {
    has_room_ = false;
  }
  choose_bad_things();
  const std::uint64_t count = random.chance(300) ? 1 : random.between(1, 4);
  is_alone_ = count == 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    start_process();
  }
}

// Coroutine frames are destroyed last, with the io_context. No timer may outlive it.
World::~World() {
  processes_.clear();
  environment_.scheduler.clear();
  broker_.clear();
  database_.clear();
}

Outcome World::run() {
  Random& random = environment_.random;
  const bool is_long =
      environment_.faults.is_calm() && environment_.faults.has_bad_things() && random.chance(250);
  const Time faults_max = is_long ? kLongFaultsMax : kFaultsMax;
  const Time faults_end(random.between(1'000'000, static_cast<std::uint64_t>(faults_max.count())));
  for (const Time burst : clients_->begin(faults_end)) {
    if (random.chance(500)) {  // a fault during the burst
      environment_.scheduler.at(burst + random_time(milliseconds(20)), [this] { strike_any(); });
    }
  }
  plan_fault();
  environment_.scheduler.at(faults_end, [this] {
    environment_.trace("world: nothing fails any more");
    environment_.faults.end();
    if (environment_.faults.is_calm()) broker_.end_bad_events();
  });
  run_until([&] { return environment_.scheduler.now() >= faults_end; }, faults_max);
  if (has_room_) {
    see_others_answered();
  }
  environment_.trace("world: nothing is bad any more");
  broker_.end_bad_things();
  database_.end_bad_things();
  if (!run_until([&] { return is_drained() && holds_are_over(); }, kDrainMax)) {
    environment_.checks.broken("once faults end, everything drains", broker_.describe());
  }
  is_closing_ = true;
  for (const auto& process : processes_) {
    if (process->is_alive() && !process->is_stopping()) {
      process->stop();
    }
  }
  const auto all_ended = [&] {
    return std::ranges::none_of(processes_, [](const auto& one) { return one->is_alive(); });
  };
  if (!run_until(all_ended, kStopMax)) {
    for (const auto& process : processes_) {
      if (process->is_alive()) {
        environment_.checks.broken("a process that is stopped ends", process->describe());
      }
    }
  }
  Checks& checks = environment_.checks;
  checks.on_drained(initial_);
  if (environment_.faults.is_clean() && is_alone_) {
    checks.on_drained_alone(initial_);
  }
  const auto steps = environment_.scheduler.steps();
  return {.violation = checks.violation(),
          .requests = checks.requests(),
          .replies = checks.replies(),
          .undeliverable_replies = checks.undeliverable_replies(),
          .replays = checks.replays(),
          .dead_letters = checks.dead_letters(),
          .refusals = checks.refusals(),
          .kept_replies = checks.kept_replies(),
          .given_up = checks.given_up(),
          .longest_wait = checks.longest_wait(),
          .holds = checks.holds(),
          .expired = checks.expired(),
          .confirmed = checks.confirmed(),
          .longest_overdue = checks.longest_overdue(),
          .events = checks.events().told(),
          .events_again = checks.events().told_again(),
          .steps = steps,
          .processes = begun_,
          .faults = environment_.faults.counts(),
          .lasted = environment_.scheduler.now(),
          .fingerprint = random.below(std::uint64_t{1} << 62U) ^ steps};
}

// All good requests must be answered while the bad things last. In a calm world they must be
// answered soon, and replies that a client's queue does not take must not keep requests in hand.
void World::see_others_answered() {
  const bool is_calm = environment_.faults.is_calm();
  const auto is_done = [&] {
    return clients_->is_done() && environment_.checks.first_good_unanswered() == nullptr;
  };
  // Clients still repeat requests for some time, and send lost ones again.
  if (!run_until([&] { return clients_->is_done(); }, kDrainMax)) {
    environment_.checks.broken("clients come to an end", "");
  }
  if (!run_until(is_done, is_calm ? kAnswerMax : kDrainMax)) {
    const Request* const request = environment_.checks.first_good_unanswered();
    environment_.checks.broken("a request that is not bad itself is answered while bad ones stay",
                               fmt::format("request {}: {}", request->number, request->body));
  }
  const auto is_settled = [&] {
    return broker_.is_drained(
        [&](const Request& request) { return environment_.checks.is_bad_product(request); });
  };
  if (is_calm && !run_until(is_settled, kCalmMax)) {
    environment_.checks.broken("replies that are not taken use up nothing", broker_.describe());
  }
}

template <class Condition>
bool World::run_until(Condition condition, Time longest) {
  const Time deadline = environment_.scheduler.now() + longest;
  while (!condition()) {
    if (environment_.checks.violation()) {
      return true;  // the result is known
    }
    if (environment_.scheduler.now() > deadline) {
      return false;
    }
    if (!environment_.scheduler.step()) {
      return condition();
    }
  }
  return true;
}

// Nothing is left to do, and every flow is consuming.
bool World::is_drained() const {
  return clients_->is_done() && broker_.is_drained() &&
         std::ranges::all_of(processes_, [](const auto& process) {
           return !process->is_alive() || process->is_stopping() || process->is_consuming();
         });
}

// All holds are given back, except those that last long.
bool World::holds_are_over() const {
  const auto soon = environment_.scheduler.wall_now() + kHoldMax;
  return std::ranges::all_of(environment_.tables.holds,
                             [&](const auto& hold) { return hold.second.expires_at > soon; });
}

Time World::random_time(Time longest) {
  return Time(environment_.random.below(static_cast<std::uint64_t>(longest.count())));
}

void World::start_process() {
  if (is_closing_) {
    return;
  }
  ++begun_;
  environment_.trace("process: starts");
  processes_.push_back(std::make_unique<Process>(environment_, broker_, database_, options_));
  if (environment_.faults.is_calm()) see_served();
}

// Tells the checks whether a process takes requests. Repeats while none does.
void World::see_served() {
  const bool is_served = std::ranges::any_of(processes_, [](const auto& process) {
    return process->is_alive() && !process->is_stopping() && process->is_serving();
  });
  if (is_served != is_served_) environment_.checks.set_served(is_served);
  is_served_ = is_served;
  if (!is_served && !is_closing_) {
    environment_.scheduler.after(milliseconds(100), [this] { see_served(); });
  }
}

// The process ends by itself, or is killed after its budget, but not in a clean world.
void World::stop_process(Process& process, bool is_replaced) {
  process.stop();
  environment_.checks.on_process_stopped();
  if (environment_.faults.is_calm()) see_served();
  if (is_replaced) {
    is_alone_ = false;
    start_process();
  }
  const auto look = [this, &process, is_replaced](const auto& again, Time since) -> void {
    const bool is_late = environment_.scheduler.now() - since > kShutdownBudget;
    if (process.is_alive() && is_late && !environment_.faults.is_clean()) {
      process.kill();
    }
    if (process.is_alive()) {
      environment_.scheduler.after(seconds(1), [again, since] { again(again, since); });
    } else if (!is_replaced) {
      start_process();
    }
  };
  look(look, environment_.scheduler.now());
}

void World::kill_process(Process& process) {
  process.kill();
  environment_.scheduler.after(random_time(seconds(30)), [this] { start_process(); });
}

// Kills it in an event of its own, because the process may be running now.
void World::kill(const LifePointer& life) {
  environment_.scheduler.after(Time(0), [this, life] {
    for (const auto& process : processes_) {
      if (process->has(life) && process->is_alive() && !process->is_stopping()) {
        kill_process(*process);
        return;
      }
    }
  });
}

Process* World::pick_process() {
  std::vector<Process*> candidates;
  for (const auto& process : processes_) {
    if (process->is_alive() && !process->is_stopping()) {
      candidates.push_back(process.get());
    }
  }
  return candidates.empty() ? nullptr : environment_.random.pick(candidates);
}

void World::plan_fault() {
  const Time pause = random_time(environment_.random.chance(500) ? milliseconds(20) : seconds(20));
  environment_.scheduler.after(pause, [this] {
    if (strike_any()) {
      plan_fault();
    }
  });
}

bool World::strike_any() {
  const auto kind = environment_.faults.next_planned();
  if (kind < kFaultKinds) {
    strike(static_cast<InjectedFault>(kind));
  }
  return kind < kFaultKinds;
}

void World::strike(InjectedFault fault) {
  Process* const process = pick_process();
  switch (fault) {
    case InjectedFault::process_killed:
      return process != nullptr ? kill_process(*process) : void();
    case InjectedFault::process_stopped:
      return process != nullptr ? stop_process(*process, false) : void();
    case InjectedFault::process_replaced:
      return process != nullptr ? stop_process(*process, true) : void();
    case InjectedFault::consuming_lost:
      return broker_.lose_consuming(amqp::Fault::link_lost);
    case InjectedFault::publishing_lost:
      return broker_.lose_publishing();
    case InjectedFault::consumer_cancelled:
      return broker_.lose_consuming(amqp::Fault::refused);
    case InjectedFault::broker_down:
      return broker_.go_down(random_time(seconds(60)));
    case InjectedFault::memory_alarm:
      return broker_.raise_alarm(random_time(seconds(90)));
    case InjectedFault::own_queue_deleted:
      return delete_own_queue();
    case InjectedFault::client_left:
      return clients_->one_leaves();
    case InjectedFault::database_down:
      return database_.go_down(random_time(seconds(100)));
    case InjectedFault::queue_silent:
      return silence_queue();
    case InjectedFault::queue_full:
      return fill_queue();
    case InjectedFault::address_harmful:
      return harm_address();
    case InjectedFault::row_failing:
      return fail_row();
    case InjectedFault::row_locked:
      return lock_row();
    case InjectedFault::items_failing:
      return fail_items();
    case InjectedFault::exchange_deleted:
    case InjectedFault::exchange_refused:
    case InjectedFault::listener_silent:
    case InjectedFault::listener_full:
      return strike_events(fault);
    default:
      break;  // strikes single operations
  }
}

void World::delete_own_queue() {
  std::array queues{std::string(kOrderReplies),
                    service::dead_letter_queue(kOrderQueue),
                    service::dead_letter_queue(kItemQueue),
                    service::kept_queue(kOrderQueue),
                    service::kept_queue(kItemQueue),
                    service::dead_letter_queue(row_of(Kind::cancellation).queue),
                    service::dead_letter_queue(row_of(Kind::expiry).queue)};
  const std::string& queue = environment_.random.pick(queues);
  environment_.trace("broker: queue {} is deleted", queue);
  broker_.remove(queue);
}

void World::choose_bad_things() {
  Random& random = environment_.random;
  for (const std::string& queue : clients_->queues()) {
    if (random.chance(500)) {
      (service::is_direct_reply(queue) ? bad_addresses_ : bad_queues_).push_back(queue);
    }
  }
  for (std::uint64_t product = 1; product <= products_ + 2; ++product) {
    if (random.chance(400)) bad_products_.push_back(static_cast<domain::ProductId>(product));
  }
}

std::optional<Time> World::bad_for() {
  Random& random = environment_.random;
  if (has_room_ && random.chance(300)) return std::nullopt;
  return random_time(random.chance(500) ? seconds(5) : seconds(200));
}

void World::flood_perhaps(const std::function<void()>& flood) {
  if (has_room_ && floods_left_ > 0 && environment_.random.chance(300)) {
    --floods_left_;
    flood();
  }
}

void World::silence_queue() {
  Random& random = environment_.random;
  if (!environment_.faults.is_calm() && random.chance(200)) {  // one of the service's own queues
    std::array queues{std::string(kOrderReplies), service::dead_letter_queue(kOrderQueue),
                      service::kept_queue(kItemQueue)};
    const std::string queue = random.pick(queues);
    environment_.trace("broker: {} is silent", queue);
    broker_.silence(queue);
    environment_.scheduler.after(random_time(seconds(60)),
                                 [this, queue] { broker_.answer(queue); });
    return;
  }
  if (bad_queues_.empty()) return;
  const std::string queue = random.pick(bad_queues_);
  environment_.trace("broker: {} is silent", queue);
  broker_.silence(queue);
  environment_.checks.mark_bad_queue(queue);
  if (const auto how_long = bad_for()) {
    environment_.scheduler.after(*how_long, [this, queue] { broker_.answer(queue); });
  }
  flood_perhaps([&] { clients_->flood(queue); });
}

void World::fill_queue() {
  if (bad_queues_.empty()) return;
  const std::string queue = environment_.random.pick(bad_queues_);
  environment_.trace("broker: {} is full", queue);
  const auto how_long = bad_for();
  broker_.fill(queue, how_long ? environment_.scheduler.now() + *how_long : Time::max());
  environment_.checks.mark_bad_queue(queue);
  flood_perhaps([&] { clients_->flood(queue); });
}

void World::harm_address() {
  if (bad_addresses_.empty()) return;
  const std::string address = environment_.random.pick(bad_addresses_);
  environment_.trace("broker: {} closes connections", address);
  broker_.harm(address);
  environment_.checks.mark_bad_queue(address);
  if (const auto how_long = bad_for()) {
    environment_.scheduler.after(*how_long, [this, address] { broker_.stop_harming(address); });
  }
  flood_perhaps([&] { clients_->flood(address); });
}

void World::fail_row() {
  if (bad_products_.empty()) return;
  const domain::ProductId product = environment_.random.pick(bad_products_);
  database_.set_failing(product, true);
  environment_.checks.mark_bad_product(product);
  if (const auto how_long = bad_for()) {
    environment_.scheduler.after(*how_long,
                                 [this, product] { database_.set_failing(product, false); });
  }
  flood_perhaps([&] { clients_->flood(product); });
}

void World::lock_row() {
  if (bad_products_.empty()) return;
  const domain::ProductId product = environment_.random.pick(bad_products_);
  environment_.checks.mark_bad_product(product);
  database_.keep_locked(product, bad_for().value_or(seconds(100'000)));
  flood_perhaps([&] { clients_->flood(product); });
}

void World::fail_items() {
  environment_.trace("database: a trigger fails for some items");
  database_.set_items_failing(true);
  environment_.checks.mark_bad_items();
  if (const auto how_long = bad_for()) {
    environment_.scheduler.after(*how_long, [this] { database_.set_items_failing(false); });
  }
}

// In a calm world, not again before all delayed events have been published.
void World::strike_events(InjectedFault fault) {
  const Time now = environment_.scheduler.now();
  const bool is_calm = environment_.faults.is_calm();
  if (!options_.events || (is_calm && now < events_bad_until_ + kCalmMax)) return;
  Random& random = environment_.random;
  const Time how_long = random_time(random.chance(500) ? seconds(5) : kEventsBadMax);
  const Time until = now + how_long;
  const std::string listener(kListener);
  events_bad_until_ = until;
  environment_.checks.mark_bad_events(how_long);
  switch (fault) {
    case InjectedFault::exchange_deleted:
      return broker_.delete_exchange(random.chance(500) ? until : now);
    case InjectedFault::exchange_refused:
      return broker_.refuse_exchange(until, random.chance(500));
    case InjectedFault::listener_full:
      environment_.trace("broker: the listener's queue is full");
      return broker_.fill(listener, until);
    default:
      environment_.trace("broker: the listener's queue is silent");
      broker_.silence(listener);
      environment_.scheduler.at(until, [this, listener] { broker_.answer(listener); });
  }
}

}  // namespace inventory::simulation
