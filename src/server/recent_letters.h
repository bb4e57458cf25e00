#pragma once

// RecentLetters: the newest hundred dead letters that this process has published, for the console.
//
// It is told of each letter when the broker has it. It does not read the queues: reading takes
// messages, which a quorum queue counts as deliveries (docs/dead-letters.md).
//
// Limits: kLettersMax letters, each with kShownBytesMax of the body and as many of the headers;
//         kPageBytesMax for the page, which leaves out the oldest beyond that.
// Cost:   a copy of what is kept of each letter.

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

  // queue: the request queue that the request came from.
  void add(std::string_view queue, const amqp::Message& letter);

  // A JSON array of objects, the newest first:
  //   queue (of the dead letters), at, reason, message, message_id, correlation_id, body,
  //   body_bytes (of the whole), headers, replay (the command line that sends it again, or null)
  // In texts, bytes that are not valid UTF-8 are written as \xff.
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
    std::string body;  // its first bytes
    std::size_t body_bytes = 0;
    std::string headers = {};  // the first bytes of their text
    bool is_whole = true;
  };

  static std::string json_of(const Letter& letter);

  std::deque<Letter> letters_;  // the newest first
};

// The command line that replays the letters with one of these ids, or else those of that time;
// empty if none of this can be written on a command line.
std::optional<std::string> replay_command(std::string_view request_queue,
                                          const std::optional<std::string>& message_id,
                                          const std::optional<std::string>& correlation_id,
                                          std::string_view failed_at);

}  // namespace inventory::server
