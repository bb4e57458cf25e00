#pragma once

// The command `archive`: moves old entries out of the ledger, into a file if one is named.

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"
#include "store/archiver.h"

namespace inventory::cli {

struct ArchiveOptions {
  std::chrono::seconds older_than{};
  std::optional<std::string> to;
};

// An order whose entry is gone is decided again if it is repeated, so entries younger than a day
// are always kept.
inline constexpr std::chrono::hours kArchiveAgeMin{24};

struct Archived {
  std::size_t entries = 0;  // taken out of the ledger
  std::size_t stayed = 0;   // old entries that are locked or failed
  std::string error = {};   // of one that stayed
  bool has_failed = false;  // one of them failed, and is not only locked
};

// Takes out all old entries, `page` at a time. If some entries of a product are locked or fail,
// only that product's stay; it is an error if that happens to many products of a page, or if
// nothing could be taken out. Calls `keep` with the rows before they are removed; its error ends
// the command. Calls `progress` after each page with the place reached.
std::expected<Archived, std::string> archive_all(
    store::Archiver& archiver, std::chrono::seconds age, std::size_t page,
    const std::function<std::expected<void, std::string>(std::span<const store::LedgerRow>)>& keep,
    const std::function<void(const store::LedgerPlace&)>& progress);

std::expected<ArchiveOptions, std::string> read_archive(const Arguments& given);

Command archive_command();

}  // namespace inventory::cli
