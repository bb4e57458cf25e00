#pragma once

// publishing: publishes a command's messages, and says what became of them.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "amqp/publisher.h"

namespace inventory::cli {

// Publishes and waits until the broker has answered for each message, even while it blocks the
// connection. It is an error if that takes longer than `timeout`; the publisher is of no use then.
amqp::Task<amqp::Result<std::vector<amqp::Settlement>>> publish_within(
    amqp::Publisher& publisher, std::span<const amqp::Message> messages,
    std::chrono::seconds timeout);

// Why a queue has not taken a message: "there is no queue orders"; empty if it has.
std::string why_not_taken(amqp::Settlement settlement, std::string_view queue);

}  // namespace inventory::cli
