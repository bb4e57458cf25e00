#pragma once

// broker_client: how commands connect to the broker and run their coroutine.

#include <memory>
#include <string>

#include "amqp/connection.h"
#include "config/configuration.h"

namespace inventory::cli {

// Connects to the first configured host that answers. The error contains that of each host.
amqp::Task<amqp::Result<std::shared_ptr<amqp::Connection>>> connect(
    const config::Configuration& configuration, std::string name);

// Runs a command's coroutine to its end on a new event loop. Returns its exit status.
int run_to_end(amqp::Task<int> command);

}  // namespace inventory::cli
