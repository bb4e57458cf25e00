// inventory-service: one program, its commands in the order in which a newcomer meets them:
// serve, add, order, migrate, import, stock, dead-letters, verify.

#include <csignal>
#include <cstdio>
#include <exception>
#include <poll.h>
#include <unistd.h>
#include <variant>

#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/commands/dead_letters/dead_letters.h"
#include "cli/commands/import/import.h"
#include "cli/commands/migrate.h"
#include "cli/commands/requests.h"
#include "cli/commands/stock.h"
#include "cli/commands/verify.h"
#include "ops/logging.h"
#include "server/serve.h"

namespace {

using namespace inventory;  // the program is its own last room

struct Run {
  const config::Configuration& configuration;

  int operator()(const cli::ServeCommand&) const { return server::serve(configuration); }
  int operator()(const cli::MigrateCommand& command) const {
    return cli::migrate(configuration, command);
  }
  int operator()(const cli::VerifyCommand&) const { return cli::verify(configuration); }
  int operator()(const cli::AddCommand& command) const { return cli::add(configuration, command); }
  int operator()(const cli::OrderCommand& command) const {
    return cli::order(configuration, command);
  }
  int operator()(const cli::ImportCommand& command) const {
    return cli::import_items(configuration, command);
  }
  int operator()(const cli::StockCommand& command) const {
    return cli::stock(configuration, command);
  }
  int operator()(const cli::DeadLettersCommand& command) const {
    return cli::dead_letters(configuration, command);
  }
};

int run(int argc, const char* const* argv) {
  const auto invocation = cli::parse_command_line(argc, argv, cli::process_environment);
  if (!invocation) {
    fmt::print(invocation.error().code == 0 ? stdout : stderr, "{}", invocation.error().text);
    return invocation.error().code;
  }
  ops::set_up_logging(invocation->configuration.log_level, invocation->configuration.log_format);
  return std::visit(Run{invocation->configuration}, invocation->command);
}

bool is_output_written() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

// Whoever has read enough (`| head`) is not told of it.
bool has_reader_gone() {
  pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A peer that has gone is an error of the write, not the end of the process.
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
