#pragma once

// RecentLetters: the dead letters that this process has made, the newest hundred of them, for
// people who look at its console.
//
// It is told of each when the broker has it, and does not look into the queues: whoever looks there
// takes messages, which a quorum queue counts as deliveries (docs/dead-letters.md).
//
// Limits: kLettersMax letters, of each kShownBytesMax of the body and as many of the headers; the
//         page kPageBytesMax, beyond which the oldest are left out.
// Cost:   a letter costs a copy of what is kept.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/message.h"
#include "domain/item.h"

namespace inventory::server {

class RecentLetters {
 public:
  static constexpr std::size_t kLettersMax = 100;
  static constexpr std::size_t kShownBytesMax = 4096;
  static constexpr std::size_t kPageBytesMax = std::size_t{1} << 20;

  // queue: the request queue that it came from.
  void add(std::string_view queue, const amqp::Message& letter);

  // A JSON array of objects, the newest first:
  //   queue (of the dead letters), at, reason, message, message_id, correlation_id, body,
  //   body_bytes (of the whole), headers, replay (the command line that sends it again, or null)
  // In texts, bytes that are no UTF-8 are written as \xff.
  std::string as_json() const;

 private:
  struct Letter {
    std::string request_queue;
    std::string queue;
    std::string at = {};  // its header failed-at
    std::string reason = {};
    std::string message = {};
    std::optional<std::string> message_id;
    std::optional<std::string> correlation_id;
    std::string body;  // the first of it
    std::size_t body_bytes = 0;
    std::string headers = {};  // the first of them, as bytes
    bool is_whole = true;
  };

  static std::string json_of(const Letter& letter);

  std::deque<Letter> letters_;  // the newest first
};

// The command line that replays the letters with one of these ids, or else those of that time;
// nothing if none of it can stand on a command line.
std::optional<std::string> replay_command(std::string_view request_queue,
                                          const std::optional<std::string>& message_id,
                                          const std::optional<std::string>& correlation_id,
                                          std::string_view failed_at);

}  // namespace inventory::server
