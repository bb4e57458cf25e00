#include "amqp/frame.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "amqp/wire.h"

namespace amqp {

void write_frame_header(char* bytes, FrameType type, std::uint16_t channel,
                        std::size_t payload_size) {
  bytes[0] = static_cast<char>(type);
  write_integer(bytes + 1, channel);
  write_integer(bytes + 3, static_cast<std::uint32_t>(payload_size));
}

std::span<char> FrameReader::space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (buffer_.size() - end_ < buffer_.size() / 2) {
    // Less than one frame is left over, so that half of the buffer is free afterwards.
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
    end_ -= std::exchange(begin_, 0);
  }
  return std::span(buffer_).subspan(end_);
}

std::expected<std::optional<Frame>, std::string> FrameReader::next() {
  const std::size_t available = end_ - begin_;
  char* const bytes = buffer_.data() + begin_;
  if (available == 0) return std::nullopt;
  const auto type = static_cast<unsigned char>(bytes[0]);
  if (type != 1 && type != 2 && type != 3 && type != 8) {
    // A broker of another version answers the protocol header with its own: "AMQP"...
    return std::unexpected(type == 'A'
                               ? std::string("the peer does not speak AMQP 0-9-1")
                               : fmt::format("frame error 501: frame of unknown type {}", type));
  }
  if (available < kFrameHeaderSize) return std::nullopt;
  const std::size_t size = read_integer<std::uint32_t>(bytes + 3);
  if (size + kFrameOverhead > frame_max_) {
    return std::unexpected(
        fmt::format("frame error 501: frame of {} bytes where at most {} were agreed",
                    size + kFrameOverhead, frame_max_));
  }
  if (available < size + kFrameOverhead) return std::nullopt;
  if (bytes[kFrameHeaderSize + size] != kFrameEnd) {
    return std::unexpected("frame error 501: frame does not end in 0xCE");
  }
  begin_ += size + kFrameOverhead;
  return Frame{.type = static_cast<FrameType>(type),
               .channel = read_integer<std::uint16_t>(bytes + 1),
               .payload = {bytes + kFrameHeaderSize, size}};
}

}  // namespace amqp
