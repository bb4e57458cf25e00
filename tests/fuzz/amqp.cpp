// What a broker sends: frames, methods and content headers. The first byte says in what pieces the
// rest arrives.
//
// Promised: frames do not depend on the pieces, and written again are the bytes that came; what was
// decoded, encoded and decoded again is the same.

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

constexpr std::size_t kFrameMax = amqp::kFrameMaxLeast;

struct OwnFrame {
  amqp::FrameType type;
  std::uint16_t channel;
  std::string payload;

  friend bool operator==(const OwnFrame&, const OwnFrame&) = default;
};

struct Cut {
  std::vector<OwnFrame> frames;
  std::string error;

  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(std::string_view bytes, std::size_t piece, std::size_t frame_max) {
  amqp::FrameReader reader(frame_max);
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
      result.frames.push_back(
          {whole->type, whole->channel, {whole->payload.data(), whole->payload.size()}});
    }
  }
  return result;
}

void check_frames(std::string_view bytes, const Cut& cut) {
  std::string again;
  for (const auto& frame : cut.frames) {
    promise(frame.payload.size() + amqp::kFrameOverhead <= kFrameMax, "no frame is too large");
    std::string header(amqp::kFrameHeaderSize, '\0');
    amqp::write_frame_header(header.data(), frame.type, frame.channel, frame.payload.size());
    again += header + frame.payload + amqp::kFrameEnd;
  }
  promise(bytes.starts_with(again), "frames written again are what came");
  promise(!cut.error.empty() || bytes.size() - again.size() < kFrameMax,
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

void check_content_header(amqp::Decoder& decoder, const std::string& payload) {
  std::string bytes = payload;
  const auto header = decoder.content_header(bytes);
  if (!header) {
    promise(!header.error().empty(), "an error has a text");
    return;
  }
  const amqp::Message message{
      .routing_key = "q", .properties = header->properties, .body = std::string(5'000, 'b')};
  std::string out;
  promise(amqp::append_message(out, 1, kFrameMax, message, {}),
          "what was decoded can be encoded in as large a frame");
  auto frames = cut(out, out.size(), kFrameMax).frames;
  promise(frames.size() == 4, "the body is split by what a frame holds");
  promise(frames[2].payload + frames[3].payload == message.body, "the body is whole");
  // Flags that the class does not have, and bytes behind the last property, are not sent on.
  promise(frames[1].payload.size() <= payload.size(), "a header does not grow");
  const auto again = decoder.content_header(frames[1].payload);
  promise(again && again->properties == header->properties, "properties are the same again");
  promise(again->body_size == message.body.size(), "the header knows the body's size");
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
  amqp::Decoder decoder;  // one for all, as in a connection
  for (const auto& frame : whole.frames) {
    if (frame.type == amqp::FrameType::method) check_method(decoder, frame.payload);
    if (frame.type == amqp::FrameType::header) check_content_header(decoder, frame.payload);
  }
  return 0;
}
