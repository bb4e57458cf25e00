#pragma once

// Frames: the units in which AMQP sends bytes (AMQP 0-9-1, 4.2.3).
//
//   type (1) | channel (2) | size (4) | payload (size) | 0xCE

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace amqp {

inline constexpr std::size_t kFrameHeaderSize = 7;
inline constexpr std::size_t kFrameOverhead = kFrameHeaderSize + 1;
inline constexpr char kFrameEnd = static_cast<char>(0xCE);
inline constexpr std::uint16_t kBasicClass = 60;  // of every content header

// What this side proposes. The whole frame counts, its 8 bytes of overhead too. A proposal of 0
// would negotiate 4096 with Debian's patched rabbitmq-c, which RabbitMQ 4.1 refuses.
inline constexpr std::size_t kFrameMaxDefault = 131'072;
inline constexpr std::size_t kFrameMaxLeast = 4'096;  // AMQP 0-9-1, 1.2: frame-min-size

// Content header frames are not bound by frame_max on their way from RabbitMQ to a client: it adds
// x-delivery-count and x-death to headers that filled a frame before, and others may have been
// given a larger one. An entry of x-death, one for each queue and reason, names all routing keys,
// also those in CC: a message with CC as large as a frame, dead-lettered in a hundred queues, needs
// this much.
inline constexpr std::size_t kHeaderFrameMax = std::size_t{16} << 20;

// Of a content header: class (2), weight (2), body size (8) (AMQP 0-9-1, 4.2.6.1).
inline constexpr std::size_t kContentHeaderFixedSize = 12;

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

struct Frame {
  FrameType type;
  std::uint16_t channel;
  std::span<char> payload;  // in the reader's buffer; may be changed in place
  std::size_t size;         // of the payload as it was sent; more than is here if it was cut
};

// Writes a frame's first seven bytes.
void write_frame_header(char* bytes, FrameType type, std::uint16_t channel,
                        std::size_t payload_size);

// FrameReader: cuts what comes from a socket into frames.
//
// Limits: a frame larger than frame_max is an error as soon as its size is known, but for a content
//         header: that is read up to header_frame_max. Of one that is larger still, only the fixed
//         part is handed out; the rest is skipped without being held.
//         The buffer is twice frame_max. It grows while a larger content header comes, as its bytes
//         do, and shrinks again behind it.
class FrameReader {
 public:
  explicit FrameReader(std::size_t frame_max, std::size_t header_frame_max = kHeaderFrameMax)
      : frame_max_(frame_max), header_frame_max_(header_frame_max), buffer_(2 * frame_max) {}

  // From the next frame on. At most what the constructor was given.
  void limit(std::size_t frame_max) { frame_max_ = frame_max; }

  // Where to read to: at least one byte. Ends the life of the frame handed out last.
  std::span<char> space();
  void commit(std::size_t size) { end_ += size; }

  // The next whole frame, or nothing while it is not all there. Its payload is good until space().
  // Error: these bytes are no AMQP; the text says why.
  std::expected<std::optional<Frame>, std::string> next();

  std::size_t buffer_size() const { return buffer_.size(); }

 private:
  bool cut_header();

  std::size_t frame_max_;
  std::size_t header_frame_max_;
  std::vector<char> buffer_;
  const std::size_t usual_size_ = buffer_.size();
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  // Of the content header at begin_ that is being cut: its payload's size as it was sent, else 0;
  // and how much of that is still to be skipped.
  std::size_t cut_size_ = 0;
  std::size_t to_skip_ = 0;
};

}  // namespace amqp
