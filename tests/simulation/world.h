#pragma once

// World: runs the simulation of one seed. First processes start and stop, and faults occur. Then
// only the faults of single clients and rows that last for ever remain, and all other requests must
// be answered. Finally these faults end too, and all queues must drain.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "environment.h"
#include "process.h"
#include "simulated_broker.h"
#include "simulated_clients.h"
#include "simulated_database.h"

namespace inventory::simulation {

struct Outcome {
  std::optional<std::string> violation;
  std::uint64_t requests = 0;
  std::uint64_t replies = 0;
  std::uint64_t undeliverable_replies = 0;
  std::uint64_t replays = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t refusals = 0;
  std::uint64_t kept_replies = 0;
  std::uint64_t given_up = 0;
  Time longest_wait{0};
  std::uint64_t holds = 0;
  std::uint64_t expired = 0;
  std::uint64_t confirmed = 0;
  Time longest_overdue{0};
  std::uint64_t events = 0;
  std::uint64_t events_again = 0;
  std::uint64_t steps = 0;
  std::uint64_t processes = 0;
  FaultCounts faults{};
  Time lasted{0};
  std::uint64_t fingerprint = 0;  // equal for equal runs
};

class World {
 public:
  World(std::uint64_t seed, bool is_traced);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  Outcome run();

 private:
  void start_process();
  void see_served();
  void stop_process(Process& process, bool is_replaced);
  void kill_process(Process& process);
  Process* pick_process();
  void plan_fault();
  bool strike_any();  // false: this world has no planned faults, or no more
  void strike(InjectedFault fault);
  void delete_own_queue();
  void choose_bad_things();
  void silence_queue();
  void fill_queue();
  void harm_address();
  void fail_row();
  void lock_row();
  void fail_items();
  void strike_events(InjectedFault fault);
  std::optional<Time> bad_for();  // empty: until the end
  void flood_perhaps(const std::function<void()>& flood);
  void see_others_answered();
  Time random_time(Time longest);
  bool is_drained() const;
  bool holds_are_over() const;
  void kill(const LifePointer& life);
  // Runs until the condition holds. Returns false if that took longer than `longest`.
  template <class Condition>
  bool run_until(Condition condition, Time longest);

  Environment environment_;
  SimulatedDatabase database_{environment_};
  SimulatedBroker broker_{environment_};
  std::uint64_t products_;
  Tables initial_;
  std::unique_ptr<SimulatedClients> clients_;
  ProcessOptions options_;
  // Those that may become bad; all others stay good.
  std::vector<std::string> bad_queues_;
  std::vector<std::string> bad_addresses_;
  std::vector<domain::ProductId> bad_products_;
  // Whether a process can put aside all bad requests, so that some faults may last for ever.
  bool has_room_ = false;
  unsigned floods_left_ = 3;
  Time events_bad_until_{0};
  std::vector<std::unique_ptr<Process>> processes_;
  std::uint64_t begun_ = 0;
  bool is_closing_ = false;
  bool is_served_ = false;  // used in calm worlds only
  bool is_alone_;           // at most one process at a time
};

}  // namespace inventory::simulation
