#pragma once

// Workloads: parts of the service, each as a function that processes one batch of orders and can be
// repeated any number of times. micro.cpp measures their time, bench/instructions counts their
// instructions.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace inventory::bench {

struct Workload {
  std::string name;
  // Prepares batches of that many orders. Each call of the result processes one batch; if a store
  // keeps the orders, they have new ids each time.
  std::function<std::function<void()>(std::size_t batch)> prepare;
};

// If BENCH_POSTGRES_URL names a database, includes workloads on a PostgreSQL store: migrates it,
// and adds items 1 to 1000.
std::vector<Workload> workloads();

}  // namespace inventory::bench
