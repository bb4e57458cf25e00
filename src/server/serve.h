#pragma once

// serve: the service itself, until a signal stops it.
//
// Waits for the database and the broker as long as it takes: the order in which a system's parts
// are started does not matter.

#include <string>

#include "config/configuration.h"

namespace inventory::server {

// http_token: what pages over HTTP ask for; empty: nothing.
//
// Returns the exit status: 0 after SIGTERM or SIGINT; 1 if the shutdown budget ran out, or after a
// second signal, which stops it at once: then what was in flight stays unacknowledged, and the
// broker delivers it again.
int serve(const config::Configuration& configuration, const std::string& http_token);

}  // namespace inventory::server
