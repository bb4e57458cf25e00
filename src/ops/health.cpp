#include "ops/health.h"

#include <algorithm>

namespace inventory::ops {

bool is_ready(std::span<const HealthCheck> checks) {
  return std::ranges::all_of(checks, [](const auto& check) { return check.problem.empty(); });
}

HttpResponse readiness(std::span<const HealthCheck> checks, bool verbose) {
  const bool ready = is_ready(checks);
  if (ready && !verbose) {
    return {.body = "ok\n"};
  }
  HttpResponse response{.status = ready ? 200U : 503U};
  for (const auto& [name, problem, note] : checks) {
    response.body += (problem.empty() ? "[+]" : "[-]") + name + ' ';
    const std::string fine = note.empty() ? "ok" : "ok: " + note;
    for (const char c : problem.empty() ? fine : problem) {
      response.body += c == '\n' || c == '\r' ? ' ' : c;
    }
    response.body += '\n';
  }
  response.body += ready ? "readyz check passed\n" : "readyz check failed\n";
  return response;
}

}  // namespace inventory::ops
