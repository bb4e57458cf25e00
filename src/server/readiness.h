#pragma once

// Readiness: the conditions of the flows as the checks of /readyz:
//
//   broker, database          fails if the service cannot use them
//   schema                    fails if the service could not bring the schema up to date
//   draining                  fails after the service was told to stop
//   blocked                   fails if the broker or the service's own queues do not take messages
//   paused                    fails while requests are left to the broker in an outage
//   holds                     fails if holds that are over cannot be found and given back because
//   of
//                             an outage; a note if only some of them cannot
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

// See service::Sweeper.
struct SweeperStatus {
  std::string problem = {};
  bool has_outage = false;
};

// schema_problem: why the schema is not up to date; empty once it is.
std::vector<ops::HealthCheck> readiness_checks(std::span<const QueueStatus> queues,
                                               const std::string& schema_problem,
                                               const SweeperStatus& sweeper = {});

}  // namespace inventory::server
