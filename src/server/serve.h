#pragma once

// serve: the service itself, until a signal stops it.
//
// Waits for the database and the broker without a limit, so the parts of a system can be started in
// any order.

#include <string>

#include "config/configuration.h"

namespace inventory::server {

// http_token: the token that HTTP pages require; empty: none.
//
// Returns the exit status: 0 after SIGTERM or SIGINT; 1 if the shutdown budget ran out, or after a
// second signal, which stops the service at once. Requests in flight then stay unacknowledged, and
// the broker delivers them again.
int serve(const config::Configuration& configuration, const std::string& http_token);

}  // namespace inventory::server
