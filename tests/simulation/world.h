#pragma once

// World: everything that one seed brings about. Processes come and go and faults strike for a
// while; then nothing fails any more, and everything must drain.

#include <cstdint>
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
  void stop_process(Process& process, bool is_replaced);
  void kill_process(Process& process);
  Process* pick_process();
  void plan_fault();
  bool strike_any();  // false: in this world nothing of the kind happens any more
  void strike(Fault fault);
  void delete_own_queue();
  Time random_time(Time longest);
  bool is_drained() const;
  // Runs until the condition holds. False: it took longer than `longest`.
  template <class Condition>
  bool run_until(Condition condition, Time longest);

  Environment environment_;
  SimulatedDatabase database_{environment_};
  SimulatedBroker broker_{environment_};
  std::uint64_t products_;
  Tables initial_;
  std::unique_ptr<SimulatedClients> clients_;
  ProcessOptions options_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::uint64_t begun_ = 0;
  bool is_closing_ = false;
  bool is_alone_;  // at most one process at a time
};

}  // namespace inventory::simulation
