#pragma once

// The page that Prometheus scrapes.

#include <memory>
#include <vector>

#include <prometheus/collectable.h>

#include "ops/http.h"

namespace inventory::ops {

// In Prometheus' text format, version 0.0.4.
HttpResponse metrics_page(const std::vector<std::shared_ptr<prometheus::Collectable>>& sources);

}  // namespace inventory::ops
