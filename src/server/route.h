#pragma once

// route: takes requests from the undivided queues and passes each to its partition's queue, until a
// signal stops it (router/router.h). It uses no database.
//
// Waits for the broker without a limit.

#include <expected>
#include <string>

#include "config/configuration.h"

namespace inventory::server {

// Checks that a router can run with these settings; the error is a line for people.
std::expected<void, std::string> check_for_route(const config::Configuration& configuration);

// http_token and exit status: as for serve() (serve.h). The settings must have passed
// check_for_route().
int route(const config::Configuration& configuration, const std::string& http_token);

}  // namespace inventory::server
