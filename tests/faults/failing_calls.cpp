#include "faults/failing_calls.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

namespace faults {
namespace {

struct State {
  std::uint16_t port;
  std::set<int> sockets;
  int calls_left = -1;  // negative: no fault
  FailingCalls::Way way = FailingCalls::Way::fails;
  std::string failed;
};

thread_local State* state = nullptr;

// The C library's own function of that name.
template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

enum class Kind { transfer, other };

// Whether this call is the one that fails; errno says how then.
bool fails(const char* name, Kind kind, int error) {
  if (state == nullptr || state->calls_left < 0) return false;
  const bool interrupts = state->way == FailingCalls::Way::interrupted;
  if (interrupts && kind != Kind::transfer) return false;
  if (--state->calls_left >= 0) return false;
  state->failed = name;
  errno = interrupts ? EINTR : error;
  return true;
}

bool fails(int socket, const char* name, Kind kind, int error) {
  return state != nullptr && state->sockets.contains(socket) && fails(name, kind, error);
}

void note_connect(int socket, const sockaddr* address) {
  if (state == nullptr || address->sa_family != AF_INET) return;
  sockaddr_in internet{};
  std::memcpy(&internet, address, sizeof internet);
  if (ntohs(internet.sin_port) == state->port) state->sockets.insert(socket);
}

}  // namespace

FailingCalls::FailingCalls(std::uint16_t port) {
  state = new State{.port = port, .sockets = {}, .failed = {}};
}

FailingCalls::~FailingCalls() {
  delete state;
  state = nullptr;
}

void FailingCalls::fail_after(int calls, Way way) {
  state->calls_left = calls;
  state->way = way;
  state->failed.clear();
}

std::string FailingCalls::disarm() {
  state->calls_left = -1;
  return state->failed;
}

}  // namespace faults

// What the program calls instead of the C library.
extern "C" {

int socket(int domain, int type, int protocol) {
  if (faults::fails("socket", faults::Kind::other, EMFILE)) return -1;
  return faults::real<decltype(::socket)>("socket")(domain, type, protocol);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
  faults::note_connect(fd, address);
  if (faults::fails(fd, "connect", faults::Kind::other, ECONNREFUSED)) return -1;
  return faults::real<decltype(::connect)>("connect")(fd, address, size);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  const int done = faults::real<decltype(::getsockopt)>("getsockopt")(fd, level, name, value, size);
  const bool is_outcome_of_connect = level == SOL_SOCKET && name == SO_ERROR;
  if (is_outcome_of_connect && faults::fails(fd, "getsockopt", faults::Kind::other, 0)) {
    constexpr int kError = ETIMEDOUT;
    std::memcpy(value, &kError, sizeof kError);
  }
  return done;
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  if (faults::fails(fd, "setsockopt", faults::Kind::other, ENOPROTOOPT)) return -1;
  return faults::real<decltype(::setsockopt)>("setsockopt")(fd, level, name, value, size);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  if (faults::fails(fd, "send", faults::Kind::transfer, ECONNRESET)) {
    if (errno == ECONNRESET) ::shutdown(fd, SHUT_RDWR);  // as it would be; libpq reads on
    return -1;
  }
  return faults::real<decltype(::send)>("send")(fd, bytes, size, flags);
}

ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  if (faults::fails(fd, "recv", faults::Kind::transfer, ECONNRESET)) return -1;
  return faults::real<decltype(::recv)>("recv")(fd, bytes, size, flags);
}

int close(int fd) {
  if (faults::state != nullptr) faults::state->sockets.erase(fd);
  return faults::real<decltype(::close)>("close")(fd);
}

}  // extern "C"
