#pragma once

// Readiness: the conditions of the flows as the checks of /readyz:
//
//   broker, database          whether the service can use them
//   schema                    whether it could bring the schema up to date
//   draining                  whether it goes on taking requests, that is, was not told to stop
//   blocked                   whether the broker and the service's own queues take messages
//   paused                    whether requests are taken, and not left to the broker in an outage
//   holds                     whether holds that are over are found and asked for: fails where the
//                             database cannot be used, and is a note where others are served
//   delivery_limit            never fails; notes that the broker may drop a request

#include <span>
#include <string>
#include <vector>

#include "ops/health.h"
#include "service/status.h"

namespace inventory::server {

struct QueueStatus {
  std::string queue;
  service::Status status;
  std::string delivery_limit = {};  // see DeliveryLimit::note()
};

// Of the sweeper: see there.
struct SweeperStatus {
  std::string problem = {};
  bool has_outage = false;
};

// schema_problem: why the schema is not up to date; empty once it is.
std::vector<ops::HealthCheck> readiness_checks(std::span<const QueueStatus> queues,
                                               const std::string& schema_problem,
                                               const SweeperStatus& sweeper = {});

}  // namespace inventory::server
