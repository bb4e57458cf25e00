#pragma once

// LinkGate: a TCP gate between a client and a server, which fails where a test wants it to. For
// tests.
//
// It accepts on a port of its own, connects each client to the server, and forwards bytes; in
// pieces, with an error in them, or until it cuts the link. Positions count the bytes of one
// direction since arm(), over all links. A cut happens once: the next link is sound.
//
// Owns:    its sockets. It may go before its coroutines have ended.
// Threads: one object on one executor, which runs it.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace faults {

inline constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// What happens to the bytes of one direction.
struct Faults {
  std::size_t cut_after = kNever;  // so many bytes pass, then the link is cut
  std::size_t split_at = kNever;   // so many bytes pass, then there is a pause
  std::size_t piece = kNever;      // there is a pause after each so many bytes
  std::size_t flip_at = kNever;    // the byte at this place is changed
  std::uint8_t flip = 0;           // by these bits
};

enum class Cut {
  close,  // FIN: what was forwarded arrives
  reset,  // RST
};

class LinkGate {
 public:
  LinkGate(const boost::asio::any_io_executor& executor, boost::asio::ip::tcp::endpoint server);
  LinkGate(const LinkGate&) = delete;
  LinkGate& operator=(const LinkGate&) = delete;
  ~LinkGate();

  std::uint16_t port() const;

  // From now on; counting begins again.
  void arm(Faults to_client, Faults to_server, Cut cut = Cut::reset);
  void disarm() { arm({}, {}); }

  // Cuts all links now.
  void cut();

  // Since arm().
  bool has_cut() const;
  std::size_t bytes_to_client() const;
  std::size_t bytes_to_server() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace faults
