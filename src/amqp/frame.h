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
inline constexpr std::uint16_t kBasicClass = 60;  // in every content header

// The size that this side proposes; it includes the 8 bytes of overhead. With Debian's patched
// rabbitmq-c, a proposal of 0 would negotiate 4096, which RabbitMQ 4.1 refuses.
inline constexpr std::size_t kFrameMaxDefault = 131'072;
inline constexpr std::size_t kFrameMaxLeast = 4'096;  // AMQP 0-9-1, 1.2: frame-min-size

// RabbitMQ's content header frames may exceed a client's frame_max: it adds x-delivery-count and
// x-death to headers that already filled a frame, and the publisher may have negotiated a larger
// frame_max. x-death has an entry for each queue and reason, with all routing keys, including those
// in CC: a message whose CC fills a frame, dead-lettered in a hundred queues, needs this much.
inline constexpr std::size_t kHeaderFrameMax = std::size_t{16} << 20;

// Of a content header: class (2), weight (2), body size (8) (AMQP 0-9-1, 4.2.6.1).
inline constexpr std::size_t kContentHeaderFixedSize = 12;

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

struct Frame {
  FrameType type;
  std::uint16_t channel;
  std::span<char> payload;  // in the reader's buffer; may be modified in place
  std::size_t size;         // of the payload as sent; larger than `payload` if that was cut
};

// Writes a frame's first seven bytes.
void write_frame_header(char* bytes, FrameType type, std::uint16_t channel,
                        std::size_t payload_size);

// FrameReader: splits the bytes from a socket into frames.
//
// Limits: a frame larger than frame_max is an error as soon as its size is known, except a content
//         header, which is read up to header_frame_max. Of an even larger one, only the fixed part
//         is returned; the rest is skipped without being buffered.
//         The buffer is twice frame_max. It grows as a larger content header arrives, and shrinks
//         again after it.
class FrameReader {
 public:
  explicit FrameReader(std::size_t frame_max, std::size_t header_frame_max = kHeaderFrameMax)
      : frame_max_(frame_max), header_frame_max_(header_frame_max), buffer_(2 * frame_max) {}

  // Sets frame_max for the next frames, at most the constructor's.
  void limit(std::size_t frame_max) { frame_max_ = frame_max; }

  // Space to read into, at least one byte. Invalidates the last returned frame.
  std::span<char> space();
  void commit(std::size_t size) { end_ += size; }

  // The next frame, or empty until it is complete. Its payload is valid until space(). Error: the
  // bytes are not AMQP; the text says why.
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

  // For the content header being cut at begin_: the size of its payload as sent, else 0; and how
  // much of it is still to be skipped.
  std::size_t cut_size_ = 0;
  std::size_t to_skip_ = 0;
};

}  // namespace amqp
