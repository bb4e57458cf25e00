#pragma once

// route: takes requests from the undivided queues and passes each to its partition's, until a
// signal stops it (router/router.h). It has no database.
//
// Waits for the broker as long as it takes.

#include <expected>
#include <string>

#include "config/configuration.h"

namespace inventory::server {

// Why a router cannot do with these settings; the error is a line for people.
std::expected<void, std::string> check_for_route(const config::Configuration& configuration);

// http_token and exit status: as serve() has them (serve.h). The settings have passed
// check_for_route().
int route(const config::Configuration& configuration, const std::string& http_token);

}  // namespace inventory::server
