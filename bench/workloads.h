#pragma once

// Workloads: the parts of the service, each as a piece of work on one batch of orders that can be
// repeated without end. micro.cpp measures their time, bench/instructions their instructions.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace inventory::bench {

struct Workload {
  std::string name;
  // Prepares batches of that many orders; calling the result works one of them off. Orders have
  // fresh ids each time where a store keeps them.
  std::function<std::function<void()>(std::size_t batch)> prepare;
};

// Where BENCH_POSTGRES_URL names a database, a PostgreSQL store is among them: it is migrated, and
// items 1 to 1000 are added.
std::vector<Workload> workloads();

}  // namespace inventory::bench
