#pragma once

// Health: the answers of /livez and /readyz, in the style of Kubernetes' API server: one line for
// each check, "[+]broker ok" or "[-]broker" with its reason.

#include <span>
#include <string>

#include "ops/http.h"

namespace inventory::ops {

struct HealthCheck {
  std::string name;
  std::string problem;    // one line: why it fails and what to do; empty if it does not fail
  std::string note = {};  // one line: what to know although it does not fail
};

bool is_ready(std::span<const HealthCheck> checks);

// 200 with "ok", or with all checks if `verbose`; 503 with all checks if one fails.
HttpResponse readiness(std::span<const HealthCheck> checks, bool verbose);

}  // namespace inventory::ops
