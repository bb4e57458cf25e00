#include "ops/service_manager.h"

#include <array>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace inventory::ops {
namespace {

// The socket of a service manager, and the environment that it gives to a service.
class ManagerSocket {
 public:
  ManagerSocket() {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socklen_t size = sizeof(sa_family_t);  // the kernel chooses an abstract name (unix(7))
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as the socket interface is
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, generic, size) != 0) std::abort();
    size = sizeof(address);
    if (getsockname(socket_, generic, &size) != 0) std::abort();
    std::string name(&address.sun_path[0], size - sizeof(sa_family_t));
    name[0] = '@';
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ManagerSocket(const ManagerSocket&) = delete;
  ManagerSocket& operator=(const ManagerSocket&) = delete;
  ~ManagerSocket() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(socket_);
  }

  // The next datagram; nothing if none is there.
  std::optional<std::string> next() const {
    std::array<char, 4096> bytes{};
    const auto size = recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size < 0) return std::nullopt;
    return std::string(bytes.data(), static_cast<std::size_t>(size));
  }

 private:
  int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

TEST(ServiceManager, IsToldWhenTheServiceIsReadyAndWhenItStops) {
  const ManagerSocket socket;
  boost::asio::io_context context;
  ServiceManager manager(context.get_executor());
  manager.ready();
  EXPECT_EQ(socket.next(), "READY=1");
  manager.stopping(std::chrono::seconds(20));
  EXPECT_EQ(socket.next(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000");
  EXPECT_EQ(socket.next(), std::nullopt);
}

TEST(ServiceManager, IsToldAStatusOnceInOneLine) {
  const ManagerSocket socket;
  boost::asio::io_context context;
  ServiceManager manager(context.get_executor());
  manager.status("waits for\nREADY=1");
  manager.status("waits for\nREADY=1");
  EXPECT_EQ(socket.next(), "STATUS=waits for READY=1");
  EXPECT_EQ(socket.next(), std::nullopt);
  manager.status("consuming");
  EXPECT_EQ(socket.next(), "STATUS=consuming");
}

TEST(ServiceManager, HearsOfTheWatchdogWhileTheLoopRunsAndOnlyThen) {
  const ManagerSocket socket;
  setenv("WATCHDOG_USEC", "2000", 1);
  boost::asio::io_context context;
  ServiceManager manager(context.get_executor());
  manager.ready();
  EXPECT_EQ(socket.next(), "READY=1");
  EXPECT_EQ(socket.next(), "WATCHDOG=1");
  usleep(10'000);  // a loop that hangs
  EXPECT_EQ(socket.next(), std::nullopt);
  context.run_one();
  EXPECT_EQ(socket.next(), "WATCHDOG=1");
  manager.stop();
  context.run();  // ends
  EXPECT_EQ(socket.next(), std::nullopt);
}

TEST(ServiceManager, KeepsTheLoopNoLongerThanNecessaryWithoutAWatchdog) {
  const ManagerSocket socket;
  boost::asio::io_context context;
  ServiceManager manager(context.get_executor());
  manager.ready();
  EXPECT_EQ(socket.next(), "READY=1");
  EXPECT_EQ(context.run(), 0U);
  EXPECT_EQ(socket.next(), std::nullopt);
}

TEST(ServiceManager, NeedNotBeThere) {
  unsetenv("NOTIFY_SOCKET");
  boost::asio::io_context context;
  ServiceManager manager(context.get_executor());
  manager.ready();
  manager.status("consuming");
  manager.stopping(std::chrono::seconds(1));
  manager.stop();
  EXPECT_EQ(context.run(), 0U);
}

}  // namespace
}  // namespace inventory::ops
