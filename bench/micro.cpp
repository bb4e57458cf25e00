// bench-micro: measures the workloads by batch size, with Google Benchmark.
//
//   bench-micro --benchmark_filter=sqlite

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "workloads.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  for (const auto& workload : inventory::bench::workloads()) {
    const auto measure = [workload](benchmark::State& state) {
      const auto batch = static_cast<std::size_t>(state.range(0));
      const auto work = workload.prepare(batch);
      for (auto _ : state) {
        work();
      }
      state.SetItemsProcessed(state.iterations() * state.range(0));
    };
    benchmark::RegisterBenchmark(workload.name.c_str(), measure)
        ->Arg(1)
        ->Arg(10)
        ->Arg(100)
        ->Arg(500)
        ->Arg(1'000)
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
