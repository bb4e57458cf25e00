#include "cli/commands/import/import.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "cli/broker_client.h"
#include "cli/commands/import/request_file.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/request_client.h"
#include "config/partition.h"
#include "contract/adjustment_message.h"
#include "contract/headers.h"
#include "contract/item_message.h"
#include "contract/json_object.h"
#include "contract/queues.h"
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

// The words for a kind of row, and the queue of its requests.
struct Words {
  std::string config::Configuration::* queue;
  std::string_view done;
  std::string_view earlier;
};

Words words_of(RowKind kind) {
  switch (kind) {
    case RowKind::item:
      return {&config::Configuration::item_queue, "added", "were there"};
    case RowKind::adjustment:
      return {&config::Configuration::adjust_queue, "adjusted", "had been adjusted"};
  }
  return {};
}

// The current quantity, if an adjustment was rejected because it is not the expected one.
std::optional<domain::Quantity> changed_to(std::string_view reply) {
  static constexpr std::array<std::string_view, 2> kWanted{"message", "quantity"};
  const auto object = contract::read_json_object(reply, kWanted);
  if (!object) return std::nullopt;
  const auto* message = std::get_if<std::string>(&object->values[0]);
  const auto* quantity = std::get_if<std::int64_t>(&object->values[1]);
  if (message == nullptr || quantity == nullptr) return std::nullopt;
  return *message == contract::kInventoryHasChanged ? std::optional(*quantity) : std::nullopt;
}

class Import {
 public:
  template <class T>
  using Task = RequestClient::Task<T>;

  Import(const config::Configuration& configuration, const ImportOptions& options,
         const RequestFile& file)
      : options_(options),
        words_(words_of(file.kind)),
        configuration_(configuration),
        file_(file),
        rows_(file.rows),
        name_(terminal::printable(options.name)),
        progress_(fmt::format("importing {}", name_), terminal::is_terminal(STDERR_FILENO)) {}

  amqp::Task<int> run() {
    const auto sent = co_await send_all();
    progress_.clear();
    fmt::print("{}: {} {}, {} {} already, {} rejected, {} not answered\n", name_, done_,
               words_.done, earlier_, words_.earlier, rejected_,
               rows_.size() - done_ - earlier_ - rejected_);
    if (file_.not_counted + file_.as_expected > 0) {
      fmt::print("{}: {} as expected, {} not counted\n", name_, file_.as_expected,
                 file_.not_counted);
    }
    if (changed_ > 0) {
      fmt::print(
          "{}: {} changed since the export, and are as they were: export and count these "
          "again\n",
          name_, changed_);
    }
    if (sent) co_return rejected_ == 0 ? kExitDone : kExitNo;
    fmt::print(
        stderr,
        "inventory-service: {}\ninventory-service: run it again: what is done is recognised\n",
        sent.error());
    co_return kExitFailed;
  }

 private:
  Task<void> send_all() {
    auto client = co_await RequestClient::open(configuration_, "inventory-service import", kWindow);
    if (!client) co_return Wrong(std::move(client.error()));
    for (auto left = rows_; !left.empty();) {
      const auto rows = next_window(left);
      left = left.subspan(rows.size());
      auto sent = co_await (*client)->send(requests(rows), options_.timeout);
      if (sent) sent = co_await receive_replies(**client, rows);
      if (!sent) co_return sent;
    }
    co_await (*client)->close();
    co_return std::expected<void, std::string>();
  }

  std::string queue_of(const RequestRow& row) const;
  static std::span<const RequestRow> next_window(std::span<const RequestRow> rows);
  std::vector<ClientRequest> requests(std::span<const RequestRow> rows) const;
  Task<void> receive_replies(RequestClient& client, std::span<const RequestRow> rows);
  void count(const RequestRow& row, const amqp::Delivery& reply);

  const ImportOptions& options_;
  const Words words_;
  const config::Configuration& configuration_;
  const RequestFile& file_;
  const std::span<const RequestRow> rows_;
  const std::string name_;
  terminal::Progress progress_;
  std::size_t done_ = 0;
  std::size_t earlier_ = 0;
  std::size_t rejected_ = 0;
  std::size_t changed_ = 0;  // of the rejected: the quantity was not the expected one
};

// The rows that may be outstanding at a time. Several instances decide in any order, but each
// adjustment of a product depends on the ones before it, so a product is in a window only once.
std::span<const RequestRow> Import::next_window(std::span<const RequestRow> rows) {
  std::set<domain::ProductId> products;
  std::size_t count = 0;
  for (; count < rows.size() && count < kWindow; ++count) {
    const auto& product = rows[count].product;
    if (product && !products.insert(*product).second) break;
  }
  return rows.first(count);
}

std::string Import::queue_of(const RequestRow& row) const {
  const std::string& queue = configuration_.*words_.queue;
  const auto& partitions = configuration_.partitions;
  if (!partitions) return queue;
  const auto count = partitions->count;
  const auto chosen = row.product ? domain::partition_of(*row.product, count)
                                  : contract::item_partition(row.identity, std::nullopt, count);
  return contract::partition_queue(queue, partitions->number.value_or(chosen.value_or(0)));
}

std::vector<ClientRequest> Import::requests(std::span<const RequestRow> rows) const {
  std::vector<ClientRequest> requests;
  requests.reserve(rows.size());
  for (const RequestRow& row : rows) {
    requests.push_back({.queue = queue_of(row), .body = row.body, .id = row.identity});
  }
  return requests;
}

Import::Task<void> Import::receive_replies(RequestClient& client,
                                           std::span<const RequestRow> rows) {
  std::map<std::string_view, const RequestRow*> missing;
  for (const RequestRow& row : rows) missing.emplace(row.identity, &row);
  while (!missing.empty()) {
    const auto replies = co_await client.receive(options_.timeout);
    if (!replies) co_return Wrong(replies.error());
    for (const amqp::Delivery& reply : *replies) {
      const auto found = missing.find(reply.properties.correlation_id.value_or(""));
      if (found == missing.end()) continue;  // a reply may come twice
      count(*found->second, reply);
      missing.erase(found);
    }
    progress_.update(done_ + earlier_ + rejected_, rows_.size());
  }
  co_return std::expected<void, std::string>();
}

void Import::count(const RequestRow& row, const amqp::Delivery& reply) {
  if (!is_success(reply.body)) {
    ++rejected_;
    progress_.clear();
    if (const auto quantity = row.expected ? changed_to(reply.body) : std::nullopt) {
      ++changed_;
      fmt::print(stderr, "{}:{}: product {} has changed meanwhile, from {} to {}\n", name_,
                 row.line, row.product.value_or(0), *row.expected, *quantity);
      return;
    }
    fmt::print(stderr, "{}:{}: {}\n", name_, row.line, terminal::printable(reply.body));
    return;
  }
  const auto& headers = reply.properties.headers;
  const bool is_replay = headers && headers->find_integer(contract::headers::kReplayed) == 1;
  ++(is_replay ? earlier_ : done_);
}

// Returns the exit status: kExitDone; kExitNo if rows are bad, were skipped or were rejected;
// kExitFailed if the file cannot be read, or without broker or reply.
int import_rows(const config::Configuration& configuration, const ImportOptions& options) {
  const std::string name = terminal::printable(options.name);
  const auto fail = [&](const std::string& what) {
    fmt::print(stderr, "inventory-service: {}: {}\n", name, what);
    return kExitFailed;
  };
  const auto text = read_file(options.path);
  if (!text) return fail(text.error());
  const auto file = read_request_file(*text, options.name);
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
  for (const RequestRow& row : file->rows) {
    if (!row.product) continue;
    const auto mine = config::in_partition_of(configuration, {*row.product});
    if (!mine) return fail(fmt::format("line {}: {}", row.line, mine.error()));
  }
  if (file->kind == RowKind::adjustment && configuration.adjust_queue.empty()) {
    fail("--adjust-queue is none: it is switched off");
    return kExitUsage;
  }
  Import import(configuration, options, *file);
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
      .summary = "Add items or adjust stock from a CSV file, with one request for each row",
      .description =
          "The first line says what the rows are: quantity,description for items;\n"
          "product_id,change[,reason] or product_id,set_to[,reason] for adjustments of stock.\n"
          "Fields may be quoted as in RFC 4180. A file that stock --csv wrote is a stocktake:\n"
          "import sets each product to the quantity in the column counted, if its stock is still\n"
          "as it was exported.\n\n"
          "If a row is bad, nothing is sent. You may interrupt the command and run it again: each\n"
          "row has an identity made of the file's name and what the row asks for, and is done\n"
          "once. So each delivery needs a name of its own.\n\n"
          "Examples:\n"
          "  inventory-service import items.csv\n"
          "  inventory-service stock --csv > stock.csv; then, counted: inventory-service import "
          "stock.csv\n"
          "  inventory-service import - --name \"delivery 17\" < changes.csv\n\n"
          "Exit codes: 0 all rows are done; 1 rows are bad, skipped or rejected; 2 wrong command\n"
          "line or setting; 3 failed: run it again.",
      .options = {{"file", "FILE", "the file; - is standard input"},
                  {"--name", "NAME", "use this name instead of the file's name without folders"},
                  {"--skip-bad", "", "send the good rows even if others are bad"},
                  {"--dry-run", "", "check the file, and send nothing"},
                  timeout_option("the next reply")},
      .prepare =
          [](const Arguments& given, const config::Configuration&) {
            return prepared(read_import(given), import_rows);
          },
  };
}

}  // namespace inventory::cli
