#pragma once

// broker_client: what commands that talk to the broker begin and end with.

#include <memory>
#include <string>

#include "amqp/connection.h"
#include "config/configuration.h"

namespace inventory::cli {

// Connects to the first of the configured hosts that answers. The error names what each one said.
amqp::Task<amqp::Result<std::shared_ptr<amqp::Connection>>> connect(
    const config::Configuration& configuration, std::string name);

// Runs a command's coroutine to its end, on an event loop of its own. Returns its exit status.
int run_to_end(amqp::Task<int> command);

}  // namespace inventory::cli
