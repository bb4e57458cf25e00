// inventory-service: one program with the commands of commands.cpp.

#include <csignal>
#include <cstdio>
#include <exception>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "ops/logging.h"

namespace {

using namespace inventory;  // the program is its own last room

int run(int argc, const char* const* argv) {
  const auto invocation =
      cli::parse_command_line(argc, argv, cli::commands(), cli::process_environment);
  if (!invocation) {
    fmt::print(invocation.error().code == 0 ? stdout : stderr, "{}", invocation.error().text);
    return invocation.error().code;
  }
  ops::set_up_logging(invocation->configuration.log_level, invocation->configuration.log_format);
  return invocation->run(invocation->configuration);
}

bool is_output_written() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

// A reader that has read enough (`| head`) is no error to report.
bool has_reader_gone() {
  pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Writing to a closed connection must return an error, not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  int status = cli::kExitFailed;
  try {
    status = run(argc, argv);
  } catch (const std::exception& error) {
    if (std::ferror(stdout) == 0) fmt::print(stderr, "inventory-service: {}\n", error.what());
  }
  if (is_output_written()) return status;
  if (!has_reader_gone()) {
    fmt::print(stderr, "inventory-service: standard output cannot be written\n");
  }
  return cli::kExitFailed;
}
