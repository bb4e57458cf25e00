#pragma once

// Status: what a flow is doing, and why it takes no requests if it takes none. For logs and
// readiness checks; the flow itself does not depend on it.

#include <string>
#include <string_view>

namespace inventory::service {

enum class Condition {
  starting,              // run() was not called yet
  consuming,             // takes requests; nothing is in the way
  database_unavailable,  // it cannot decide, or has another schema: requests wait, in hand or in
                         // the queue
  paused,                // the database failed so long that the requests in hand were given back
  broker_unavailable,    // no link to the broker, or it was lost
  blocked,               // the broker takes no messages (connection.blocked): answers wait
  rejected,              // a queue of the service's own, or the exchange of events, takes no
                         // messages: they wait
  stopping,              // stop() was called: finishes what is in hand
  stopped,               // run() has returned
};

// As in logs and in health checks: "database unavailable".
constexpr std::string_view to_string(Condition condition) {
  switch (condition) {
    case Condition::starting:
      return "starting";
    case Condition::consuming:
      return "consuming";
    case Condition::database_unavailable:
      return "database unavailable";
    case Condition::paused:
      return "paused";
    case Condition::broker_unavailable:
      return "broker unavailable";
    case Condition::blocked:
      return "blocked";
    case Condition::rejected:
      return "rejected";
    case Condition::stopping:
      return "stopping";
    case Condition::stopped:
      return "stopped";
  }
  return "";
}

struct Status {
  Condition condition = Condition::starting;
  std::string reason = "not started";  // one line, for an operator; empty while it is consuming

  friend bool operator==(const Status&, const Status&) = default;
};

}  // namespace inventory::service
