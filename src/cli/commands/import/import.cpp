#include "cli/commands/import/import.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/broker_client.h"
#include "cli/commands/add.h"
#include "cli/commands/import/item_file.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/request_client.h"
#include "contract/headers.h"
#include "terminal/printable.h"
#include "terminal/progress.h"

namespace inventory::cli {
namespace {

constexpr std::uint16_t kWindow = 100;
constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

std::expected<std::string, std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      path == "-" ? stdin : std::fopen(path.c_str(), "rb"), std::fclose);
  const auto wrong = [] { return std::unexpected(std::system_category().message(errno)); };
  if (!file) return wrong();
  std::string text;
  char part[65'536];
  std::size_t size = 0;
  do {
    size = std::fread(part, 1, sizeof part, file.get());
    text.append(part, size);
    if (text.size() > kFileBytesMax) {
      return std::unexpected(fmt::format("more than {} MiB", kFileBytesMax >> 20));
    }
  } while (size == sizeof part);
  if (std::ferror(file.get()) != 0) return wrong();
  return text;
}

class Import {
 public:
  template <class T>
  using Task = RequestClient::Task<T>;

  Import(const config::Configuration& configuration, const ImportOptions& options,
         std::span<const ItemRow> rows)
      : configuration_(configuration),
        options_(options),
        rows_(rows),
        name_(terminal::printable(options.name)),
        progress_(fmt::format("importing {}", name_), terminal::is_terminal(STDERR_FILENO)) {}

  amqp::Task<int> run() {
    auto done = co_await send_all();
    progress_.clear();
    fmt::print("{}: {} added, {} were there already, {} rejected, {} not answered\n", name_, added_,
               earlier_, rejected_, rows_.size() - added_ - earlier_ - rejected_);
    if (done) co_return rejected_ == 0 ? kExitDone : kExitNo;
    fmt::print(
        stderr,
        "inventory-service: {}\ninventory-service: run it again: what is there is recognised\n",
        done.error());
    co_return kExitFailed;
  }

 private:
  Task<void> send_all() {
    auto client = co_await RequestClient::open(configuration_, "inventory-service import", kWindow);
    if (!client) co_return Wrong(std::move(client.error()));
    for (std::size_t first = 0; first < rows_.size(); first += kWindow) {
      const auto rows = rows_.subspan(first, std::min<std::size_t>(kWindow, rows_.size() - first));
      auto sent = co_await (*client)->send(requests(rows), options_.timeout);
      if (sent) sent = co_await receive_replies(**client, rows);
      if (!sent) co_return sent;
    }
    co_await (*client)->close();
    co_return std::expected<void, std::string>();
  }

  std::vector<ClientRequest> requests(std::span<const ItemRow> rows) const;
  Task<void> receive_replies(RequestClient& client, std::span<const ItemRow> rows);
  void count(const ItemRow& row, const amqp::Delivery& reply);

  const config::Configuration& configuration_;
  const ImportOptions& options_;
  const std::span<const ItemRow> rows_;
  const std::string name_;
  terminal::Progress progress_;
  std::size_t added_ = 0;
  std::size_t earlier_ = 0;
  std::size_t rejected_ = 0;
};

std::vector<ClientRequest> Import::requests(std::span<const ItemRow> rows) const {
  std::vector<ClientRequest> requests;
  requests.reserve(rows.size());
  for (const ItemRow& row : rows) {
    requests.push_back({.queue = configuration_.item_queue,
                        .body = item_request(row.quantity, row.description),
                        .id = row.identity});
  }
  return requests;
}

Import::Task<void> Import::receive_replies(RequestClient& client, std::span<const ItemRow> rows) {
  std::map<std::string_view, const ItemRow*> missing;
  for (const ItemRow& row : rows) missing.emplace(row.identity, &row);
  while (!missing.empty()) {
    const auto replies = co_await client.receive(options_.timeout);
    if (!replies) co_return Wrong(replies.error());
    for (const amqp::Delivery& reply : *replies) {
      const auto found = missing.find(reply.properties.correlation_id.value_or(""));
      if (found == missing.end()) continue;  // a reply may come twice
      count(*found->second, reply);
      missing.erase(found);
    }
    progress_.update(added_ + earlier_ + rejected_, rows_.size());
  }
  co_return std::expected<void, std::string>();
}

void Import::count(const ItemRow& row, const amqp::Delivery& reply) {
  if (!is_success(reply.body)) {
    ++rejected_;
    progress_.clear();
    fmt::print(stderr, "{}:{}: {}\n", name_, row.line, terminal::printable(reply.body));
    return;
  }
  const auto& headers = reply.properties.headers;
  const bool is_replay = headers && headers->find_integer(contract::headers::kReplayed) == 1;
  ++(is_replay ? earlier_ : added_);
}

// Returns the exit status: kExitDone; kExitNo if rows are bad, were skipped or were rejected;
// kExitFailed if the file cannot be read, or without broker or reply.
int import_items(const config::Configuration& configuration, const ImportOptions& options) {
  const std::string name = terminal::printable(options.name);
  const auto fail = [&](const std::string& what) {
    fmt::print(stderr, "inventory-service: {}: {}\n", name, what);
    return kExitFailed;
  };
  const auto text = read_file(options.path);
  if (!text) return fail(text.error());
  const auto file = read_item_file(*text, options.name);
  if (!file) return fail(file.error());
  for (const BadRow& bad : file->bad) {
    fmt::print(stderr, "{}:{}: {}\n", name, bad.line, terminal::printable(bad.what));
  }
  if (!file->bad.empty()) {
    fmt::print(stderr, "inventory-service: {}: {} bad and {} good rows{}\n", name, file->bad.size(),
               file->rows.size(),
               options.skip_bad ? "" : "; nothing was sent; --skip-bad sends the good ones");
    if (!options.skip_bad) return kExitNo;
  }
  if (options.dry_run) {
    fmt::print("{}: would have sent {} rows\n", name, file->rows.size());
    return file->bad.empty() ? kExitDone : kExitNo;
  }
  Import import(configuration, options, file->rows);
  const int status = run_to_end(import.run());
  return status == kExitDone && !file->bad.empty() ? kExitNo : status;
}

}  // namespace

std::expected<ImportOptions, std::string> read_import(const Arguments& given) {
  const auto path = given.option("file");
  if (!path || path->empty()) return Wrong("a file's name is missing");
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return ImportOptions{
      .path = *path,
      .name = given.option("--name").value_or(std::filesystem::path(*path).filename().string()),
      .skip_bad = given.flag("--skip-bad"),
      .dry_run = given.flag("--dry-run"),
      .timeout = *timeout};
}

Command import_command() {
  return {
      .name = "import",
      .summary = "Add the items of a CSV file, one request a row",
      .description =
          "The first line is quantity,description; quotes as RFC 4180 has them; an empty "
          "description is none.\nNothing is sent if a row is bad. May be interrupted, and run "
          "again: each row has an identity made\nof the file's name, its quantity and its "
          "description, and adds its item once.\n\n"
          "Examples:\n  inventory-service import items.csv\n"
          "  inventory-service import - --name \"delivery 17\" < items.csv\n\n"
          "Exit codes: 0 all rows are there; 1 rows are bad, skipped or rejected; 2 wrong command "
          "line or\nsetting; 3 failed: run it again.",
      .options = {{"file", "FILE", "the file; - is standard input"},
                  {"--name", "NAME",
                   "take this for the file's name (default: its name without folders)"},
                  {"--skip-bad", "", "send the good rows where some are bad"},
                  {"--dry-run", "", "check the file, and send nothing"},
                  timeout_option("the next reply")},
      .prepare =
          [](const Arguments& given, const config::Configuration&) {
            return prepared(read_import(given), import_items);
          },
  };
}

}  // namespace inventory::cli
