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
    if (buffer_.size() > usual_size_) std::vector<char>(usual_size_).swap(buffer_);
  } else if (buffer_.size() - end_ < usual_size_ / 2) {
    if (begin_ > 0) {
      std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
      end_ -= std::exchange(begin_, 0);
    }
    // Either less than one frame is left over, so half of the buffer is free; or more, which begins
    // a content header larger than frame_max.
    if (end_ > usual_size_ / 2) {
      const std::size_t size = read_integer<std::uint32_t>(buffer_.data() + 3) + kFrameOverhead;
      if (size > buffer_.size()) buffer_.resize(std::min(2 * buffer_.size(), size));
    }
  }
  return std::span(buffer_).subspan(end_);
}

std::expected<std::optional<Frame>, std::string> FrameReader::next() {
  if (to_skip_ > 0 && !cut_header()) return std::nullopt;
  const std::size_t available = end_ - begin_;
  char* const bytes = buffer_.data() + begin_;
  if (available == 0) return std::nullopt;
  const auto type = static_cast<unsigned char>(bytes[0]);
  if (type != 1 && type != 2 && type != 3 && type != 8) {
    // A broker of another version answers the protocol header with its own, "AMQP...".
    return std::unexpected(type == 'A'
                               ? std::string("the peer does not speak AMQP 0-9-1")
                               : fmt::format("frame error 501: frame of unknown type {}", type));
  }
  if (available < kFrameHeaderSize) return std::nullopt;
  const std::size_t size = read_integer<std::uint32_t>(bytes + 3);
  if (size + kFrameOverhead > frame_max_) {
    if (static_cast<FrameType>(type) != FrameType::header) {
      return std::unexpected(
          fmt::format("frame error 501: frame of {} bytes where at most {} were agreed",
                      size + kFrameOverhead, frame_max_));
    }
    if (size + kFrameOverhead > header_frame_max_) {
      cut_size_ = size;
      to_skip_ = size - kContentHeaderFixedSize;
      write_integer(bytes + 3, static_cast<std::uint32_t>(kContentHeaderFixedSize));
      return next();
    }
  }
  if (available < size + kFrameOverhead) return std::nullopt;
  if (bytes[kFrameHeaderSize + size] != kFrameEnd) {
    return std::unexpected("frame error 501: frame does not end in 0xCE");
  }
  begin_ += size + kFrameOverhead;
  const std::size_t cut_size = std::exchange(cut_size_, 0);
  return Frame{.type = static_cast<FrameType>(type),
               .channel = read_integer<std::uint16_t>(bytes + 1),
               .payload = {bytes + kFrameHeaderSize, size},
               .size = cut_size > 0 ? cut_size : size};
}

// Removes the bytes to be skipped, after the fixed part, from the buffer; the frame then looks as
// if it ended there. False: more are to come.
bool FrameReader::cut_header() {
  const std::size_t kept = begin_ + kFrameHeaderSize + kContentHeaderFixedSize;
  if (end_ <= kept) return false;
  const std::size_t skipped = std::min(to_skip_, end_ - kept);
  std::copy(buffer_.data() + kept + skipped, buffer_.data() + end_, buffer_.data() + kept);
  end_ -= skipped;
  to_skip_ -= skipped;
  return to_skip_ == 0;
}

}  // namespace amqp
