#include "cli/commands/archive/archive.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "cli/commands/archive/archive_file.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "server/open_archiver.h"
#include "server/open_reader.h"
#include "terminal/printable.h"
#include "terminal/progress.h"

namespace inventory::cli {
namespace {

// The entries of one transaction, which holds its locks for some milliseconds.
constexpr std::size_t kEntriesLookedAt = 1'000;

// The pause after a page, as a multiple of the time that the page took, but at most a second, so
// that services are not slowed down.
constexpr int kRests = 3;
constexpr std::chrono::milliseconds kRestMax{1'000};

// If this many products of a page are locked or fail, the cause is not a single row.
constexpr std::size_t kStayingProductsMax = 10;

using Keys = std::span<const store::LedgerPlace>;

// The keys at the front that are of one product.
Keys of_one_product(Keys keys) {
  std::size_t count = 1;
  while (count < keys.size() && keys[count].product == keys.front().product) ++count;
  return keys.first(count);
}

// Whether other products may succeed: a row is locked, or a trigger fails for it.
bool may_be_of_a_product(store::Fault fault) {
  return fault == store::Fault::locked || fault == store::Fault::failing ||
         fault == store::Fault::refused || fault == store::Fault::retryable;
}

// Product by product, so that one that is locked or fails does not affect the others.
store::Result<void> take_out_singly(store::Archiver& archiver, Keys keys, Archived& archived) {
  std::size_t staying = 0;
  while (!keys.empty()) {
    const Keys some = of_one_product(keys);
    const auto gone = archiver.take_out(some);
    if (gone) {
      archived.entries += *gone;
    } else if (may_be_of_a_product(gone.error().fault) && ++staying < kStayingProductsMax) {
      archived.stayed += some.size();
      archived.error = gone.error().what;
      archived.has_failed |= gone.error().fault != store::Fault::locked;
    } else {
      return std::unexpected(gone.error());
    }
    keys = keys.subspan(some.size());
  }
  return {};
}

store::Result<void> take_out(store::Archiver& archiver, Keys keys, Archived& archived) {
  const auto gone = archiver.take_out(keys);
  if (gone) {
    archived.entries += *gone;
    return {};
  }
  if (!may_be_of_a_product(gone.error().fault)) return std::unexpected(gone.error());
  return take_out_singly(archiver, keys, archived);
}

store::Result<std::optional<store::LedgerRange>> ledger_range(
    const config::Configuration& configuration) {
  const auto reader = server::open_reader(configuration.database, owner_of(configuration));
  if (auto begun = reader->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return reader->ledger_range();
}

// Each partition gets a file: the partition's number is inserted before the suffixes of a file's
// name; in a folder, each file has its own name anyway.
ArchiveOptions in_partition(ArchiveOptions options,
                            const std::optional<domain::Partition>& partition) {
  std::error_code failure;
  if (!partition || !options.to || std::filesystem::is_directory(*options.to, failure)) {
    return options;
  }
  const std::filesystem::path path(*options.to);
  const std::string name = path.filename().string();
  const std::size_t end = std::min(name.find('.', 1), name.size());
  options.to = (path.parent_path() /
                fmt::format("{}-{}{}", name.substr(0, end), partition->number, name.substr(end)))
                   .string();
  return options;
}

// Returns the exit status: kExitDone; kExitNo if old entries stay because they are locked or fail;
// kExitFailed.
int archive(const config::Configuration& configuration, const ArchiveOptions& options) {
  const auto archiver = server::open_archiver(configuration.database, owner_of(configuration));
  const auto range = ledger_range(configuration);
  if (!range) return report_failure("archive: " + range.error().what);
  // Before there are any entries, so that a wrong path shows on the first run.
  std::optional<ArchiveFile> file;
  if (options.to) {
    auto created = ArchiveFile::create(*options.to, config::partition_of(configuration));
    if (!created) return report_failure("archive: " + created.error());
    file.emplace(*std::move(created));
  }
  bool is_kept = false;
  const auto keep = [&](std::span<const store::LedgerRow> rows) -> ArchiveFile::Done {
    if (!file) return {};
    is_kept = true;
    return file->add(rows);
  };
  terminal::Progress progress("archiving", terminal::is_terminal(STDERR_FILENO));
  const auto archived = archive_all(
      *archiver, options.older_than, kEntriesLookedAt, keep,
      [&, began = std::chrono::steady_clock::now()](const store::LedgerPlace& place) mutable {
        if (*range) progress.update_share((*range)->share_before(place.product));
        const auto took = std::chrono::steady_clock::now() - began;
        std::this_thread::sleep_for(
            std::min<std::chrono::steady_clock::duration>(kRests * took, kRestMax));
        began = std::chrono::steady_clock::now();
      });
  progress.clear();
  if (file && !is_kept) file->remove();
  if (!archived) return report_failure("archive: " + archived.error());
  fmt::print("{} entries taken out{}\n", archived->entries,
             is_kept ? " into " + terminal::printable(file->path()) : "");
  if (archived->stayed == 0) return kExitDone;
  fmt::print(stderr, "inventory-service: archive: {} that are old stay: {}\n", archived->stayed,
             terminal::printable(archived->error));
  return kExitNo;
}

int archive_each(const config::Configuration& configuration, const ArchiveOptions& options) {
  return for_each_partition(configuration, [&](const config::Configuration& one) {
    return archive(one, in_partition(options, config::partition_of(one)));
  });
}

}  // namespace

std::expected<Archived, std::string> archive_all(
    store::Archiver& archiver, std::chrono::seconds age, std::size_t page,
    const std::function<std::expected<void, std::string>(std::span<const store::LedgerRow>)>& keep,
    const std::function<void(const store::LedgerPlace&)>& progress) {
  if (auto begun = archiver.begin(age); !begun) return std::unexpected(begun.error().what);
  Archived archived;
  std::optional<store::LedgerPlace> place = store::LedgerPlace();
  while (place) {
    const auto old = archiver.find(*place, page);
    if (!old) return std::unexpected(old.error().what);
    if (!old->keys.empty()) {
      if (auto kept = keep(old->rows); !kept) return std::unexpected(kept.error());
      if (const auto done = take_out(archiver, old->keys, archived); !done) {
        return std::unexpected(done.error().what);
      }
    }
    place = old->next;
    if (place) progress(*place);
  }
  // The cause is not a single product, but a missing right, for example.
  if (archived.has_failed && archived.entries == 0) return std::unexpected(archived.error);
  return archived;
}

std::expected<ArchiveOptions, std::string> read_archive(const Arguments& given) {
  const auto age = given.option("--older-than");
  if (!age) return Wrong("--older-than is missing: how long entries are kept, 90d for instance");
  const auto older_than = read_duration("--older-than", *age);
  if (!older_than) return Wrong(older_than.error());
  if (*older_than < kArchiveAgeMin) return Wrong("--older-than takes at least 1d");
  const auto to = given.option("--to");
  if (to && to->empty()) return Wrong("--to takes a path");
  return ArchiveOptions{.older_than = *older_than, .to = to};
}

Command archive_command() {
  return {
      .name = "archive",
      .summary = "Take old entries out of the ledger",
      .description =
          "The sum of the archived changes of stock is kept in one entry for each product, so\n"
          "that verify still agrees. An order stays while its hold is open, or while an entry\n"
          "about it is newer. The service does not remember archived requests: an order that is\n"
          "sent again is decided a second time.\n\n"
          "May run while services run. It may be stopped or killed at any time; then run it\n"
          "again. The file has every entry before it is deleted from the ledger; it may have some\n"
          "that stay.\n\n"
          "Example:\n"
          "  inventory-service archive --older-than 90d --to ledger-2026-11-30.csv.gz\n\n"
          "Exit codes: 0 all old entries are archived; 1 some stay, because they are locked or\n"
          "fail; 2 wrong command line or setting; 3 failed.",
      .options = {{"--older-than", "AGE",
                   "archive entries that are older than this, such as 90d; required"},
                  {"--to", "PATH",
                   "write them there as compressed CSV: a new file, or a folder; without it, they "
                   "are deleted"}},
      .prepare =
          [](const Arguments& given, const config::Configuration&) {
            return prepared(read_archive(given), archive_each);
          },
  };
}

}  // namespace inventory::cli
