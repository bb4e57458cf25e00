// What a broker sends: frames, methods and content headers. The first byte says in what pieces the
// rest arrives. The rest is read twice: as it is, and as the properties of a content header in a
// stream that is correct beside.
//
// Promised: frames do not depend on the pieces, and written again are the bytes that came; what was
// decoded, encoded and decoded again is the same, also what was understood of properties that
// cannot be decoded; no properties end the stream that carries them.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "amqp/decode.h"
#include "amqp/encode.h"
#include "amqp/frame.h"
#include "target.h"

namespace inventory::fuzz {
namespace {

using namespace std::string_literals;

constexpr std::size_t kFrameMax = amqp::kFrameMaxLeast;
constexpr std::size_t kHeaderFrameMax = 3 * kFrameMax;
constexpr std::size_t kFixedSize = amqp::kContentHeaderFixedSize;

struct OwnFrame {
  amqp::FrameType type;
  std::uint16_t channel;
  std::string payload;
  std::size_t size;  // of the payload as it was sent

  friend bool operator==(const OwnFrame&, const OwnFrame&) = default;
};

struct Cut {
  std::vector<OwnFrame> frames;
  std::string error;

  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(std::string_view bytes, std::size_t piece, std::size_t frame_max) {
  amqp::FrameReader reader(frame_max, kHeaderFrameMax);
  Cut result;
  while (!bytes.empty()) {
    const auto space = reader.space();
    promise(!space.empty(), "there is space for more bytes");
    const std::size_t size = std::min({piece, bytes.size(), space.size()});
    bytes.copy(space.data(), size);
    bytes.remove_prefix(size);
    reader.commit(size);
    for (;;) {
      const auto frame = reader.next();
      if (!frame) {
        result.error = frame.error();
        return result;
      }
      const std::optional<amqp::Frame>& whole = *frame;
      if (!whole) break;
      result.frames.push_back({whole->type,
                               whole->channel,
                               {whole->payload.data(), whole->payload.size()},
                               whole->size});
    }
    promise(reader.buffer_size() <= std::max(2 * frame_max, kHeaderFrameMax),
            "the buffer is no larger than what may be in it");
  }
  return result;
}

void check_frames(std::string_view bytes, const Cut& cut) {
  for (const auto& frame : cut.frames) {
    const std::size_t size = frame.size + amqp::kFrameOverhead;
    const bool is_header = frame.type == amqp::FrameType::header;
    promise(size <= kFrameMax || is_header, "no frame is too large");
    promise(size <= kHeaderFrameMax ? frame.payload.size() == frame.size
                                    : frame.payload.size() == kFixedSize,
            "of a content header above its bound the fixed part is there");
    std::string begin(amqp::kFrameHeaderSize, '\0');
    amqp::write_frame_header(begin.data(), frame.type, frame.channel, frame.size);
    promise(bytes.size() >= size && bytes.starts_with(begin + frame.payload) &&
                bytes[size - 1] == amqp::kFrameEnd,
            "frames written again are what came");
    bytes.remove_prefix(size);
  }
  promise(!cut.error.empty() || bytes.size() < kFrameMax || bytes[0] == 2,
          "what remains is less than a frame");
}

std::optional<amqp::method::Incoming> decoded(amqp::Decoder& decoder, const std::string& bytes) {
  auto frames = cut(bytes, bytes.size(), kFrameMax).frames;
  promise(frames.size() == 1, "a method is one frame");
  auto method = decoder.method(frames.front().payload);
  promise(method.has_value(), "what was encoded can be decoded");
  return *std::move(method);
}

// Those methods that go both ways.
template <class Close>
void check_close(amqp::Decoder& decoder, const amqp::method::Incoming& method) {
  const auto* close = std::get_if<Close>(&method);
  if (close == nullptr) return;
  std::string bytes;
  promise(amqp::append(bytes, 1, *close), "what was decoded can be encoded");
  const auto again = decoded(decoder, bytes);
  promise(std::get<Close>(*again).reply_code == close->reply_code &&
              std::get<Close>(*again).reply_text == close->reply_text,
          "a close is the same again");
}

void check_method(amqp::Decoder& decoder, std::string payload) {
  const auto method = decoder.method(payload);
  if (!method) {
    promise(!method.error().empty(), "an error has a text");
    return;
  }
  promise(!amqp::method::name(*method).empty(), "a method has a name");
  check_close<amqp::method::ConnectionClose>(decoder, *method);
  check_close<amqp::method::ChannelClose>(decoder, *method);
  if (const auto* ack = std::get_if<amqp::method::BasicAck>(&*method)) {
    std::string bytes;
    promise(amqp::append(bytes, 1, *ack), "an ack can be encoded");
    const auto again = std::get<amqp::method::BasicAck>(*decoded(decoder, bytes));
    promise(again.delivery_tag == ack->delivery_tag && again.multiple == ack->multiple,
            "an ack is the same again");
  }
  if (const auto* cancel = std::get_if<amqp::method::BasicCancel>(&*method)) {
    std::string bytes;
    promise(amqp::append(bytes, 1, *cancel), "a cancel can be encoded");
    const auto again = std::get<amqp::method::BasicCancel>(*decoded(decoder, bytes));
    promise(again.consumer_tag == cancel->consumer_tag, "a cancel is the same again");
  }
}

// What of the header was understood, if it is one.
std::optional<amqp::ContentHeader> check_content_header(std::string_view payload,
                                                        std::size_t size) {
  const auto header = amqp::decode_content_header(payload, size);
  promise(header.has_value() == (payload.size() >= kFixedSize),
          "a content header tells its body's size, whatever its properties are");
  if (!header) {
    promise(!header.error().empty(), "an error has a text");
    return {};
  }
  promise(!header->undecodable ||
              (!header->undecodable->empty() && !header->undecodable->contains('\n')),
          "what cannot be decoded has a reason in one line");
  const amqp::Message message{
      .routing_key = "q", .properties = header->properties, .body = std::string(5'000, 'b')};
  std::string out;
  promise(amqp::append_message(out, 1, 2 * kHeaderFrameMax, message, {}),
          "what was understood can be encoded in as large a frame");
  auto frames = cut(out, out.size(), 2 * kHeaderFrameMax).frames;
  promise(frames.size() == 3, "method, header, body");
  const std::string& encoded = frames[1].payload;
  // Flags that the class does not have, and bytes behind the last property, are not sent on.
  promise(encoded.size() <= std::max(size, kFixedSize + 2), "a header does not grow");
  const auto again = amqp::decode_content_header(encoded, encoded.size());
  promise(again && !again->undecodable && again->properties == header->properties,
          "properties are the same again");
  promise(again->body_size == message.body.size(), "the header knows the body's size");
  std::string small;
  const bool fits = encoded.size() + amqp::kFrameOverhead <= kFrameMax;
  promise(amqp::append_message(small, 1, kFrameMax, message, {}) == fits && fits == !small.empty(),
          "a message whose properties do not fit in a frame is left out");
  if (fits) {
    frames = cut(small, small.size(), kFrameMax).frames;
    promise(frames.size() == 4, "the body is split by what a frame holds");
    promise(frames[2].payload + frames[3].payload == message.body, "the body is whole");
  }
  return *header;
}

// A message with these encoded properties between two bodies of others.
void check_stream(std::string_view properties, std::size_t piece) {
  const auto frame = [](amqp::FrameType type, const std::string& payload) {
    std::string bytes(amqp::kFrameHeaderSize, '\0');
    amqp::write_frame_header(bytes.data(), type, 1, payload.size());
    return bytes + payload + amqp::kFrameEnd;
  };
  const std::string body = frame(amqp::FrameType::body, "body");
  const std::string payload = "\0\x3C\0\0\0\0\0\0\0\0\0\4"s.append(properties);
  const auto read = cut(body + frame(amqp::FrameType::header, payload) + body, piece, kFrameMax);
  promise(read.error.empty() && read.frames.size() == 3, "no properties end a stream");
  promise(read.frames[2].payload == "body", "what follows is what came");
  const auto header = check_content_header(read.frames[1].payload, read.frames[1].size);
  promise(header && header->body_size == 4, "a content header tells its body's size");
}

}  // namespace
}  // namespace inventory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inventory::fuzz;
  if (size == 0) return 0;
  const auto bytes = text_of(data, size).substr(1);
  const auto whole = cut(bytes, bytes.size(), kFrameMax);
  promise(whole == cut(bytes, std::size_t{1} + data[0], kFrameMax),
          "frames are the same however the bytes are split");
  check_frames(bytes, whole);
  check_stream(bytes, std::size_t{1} + data[0]);
  amqp::Decoder decoder;  // one for all, as in a connection
  for (const auto& frame : whole.frames) {
    if (frame.type == amqp::FrameType::method) check_method(decoder, frame.payload);
    if (frame.type == amqp::FrameType::header) check_content_header(frame.payload, frame.size);
  }
  return 0;
}
