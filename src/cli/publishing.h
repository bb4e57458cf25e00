#pragma once

// publishing: messages that a command publishes, and what became of them.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "amqp/publisher.h"

namespace inventory::cli {

// Publishes and waits until the broker has answered for each message, blocked or not. The error of
// one that has not within `timeout` says so; the publisher is of no use then.
amqp::Task<amqp::Result<std::vector<amqp::Settlement>>> publish_within(
    amqp::Publisher& publisher, std::span<const amqp::Message> messages,
    std::chrono::seconds timeout);

// Why a queue has not taken a message: "there is no queue orders"; empty: it has.
std::string why_not_taken(amqp::Settlement settlement, std::string_view queue);

}  // namespace inventory::cli
