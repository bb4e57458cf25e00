#pragma once

// FailingCalls: the system calls of one client's sockets, one of which fails. For tests.
//
// While an object lives, it counts the calls of socket() on its thread, and those of connect(),
// getsockopt(), setsockopt(), send() and recv() for sockets that connect to `port`; the program and
// the libraries that it is linked with call through here instead of the C library.
//
// Threads: counts those of the one that made it. One object at a time.

#include <cstdint>
#include <string>

namespace faults {

class FailingCalls {
 public:
  enum class Way {
    fails,        // as when the link breaks: refused, timed out, reset; or no socket is left
    interrupted,  // send() and recv() return at once with EINTR, which is no failure
  };

  explicit FailingCalls(std::uint16_t port);
  FailingCalls(const FailingCalls&) = delete;
  FailingCalls& operator=(const FailingCalls&) = delete;
  ~FailingCalls();

  // Lets this many calls pass that can fail so, then one fails.
  void fail_after(int calls, Way way);

  // No more faults. The call that failed: "recv"; empty if none did.
  std::string disarm();
};

}  // namespace faults
