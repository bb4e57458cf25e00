#pragma once

// The command `archive`: takes old entries out of the ledger, into a file if one is named.

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

// An order id that is older is new again: to keep less than a day asks for trouble.
inline constexpr std::chrono::hours kArchiveAgeMin{24};

struct Archived {
  std::size_t entries = 0;  // that are out of the ledger
  std::size_t stayed = 0;   // orders and others that are old, and are locked or fail
  std::string error = {};   // of one of them
  bool has_failed = false;  // one of them did, and is not only locked
};

// Takes out all that is old, `page` entries at a time. What is locked or fails for one product
// stays, and costs that product only; where many of a page do, or nothing passes at all, that is an
// error. `keep` is given what goes before it goes, and ends all with its error. `progress` is told
// after each page up to where it is.
std::expected<Archived, std::string> archive_all(
    store::Archiver& archiver, std::chrono::seconds age, std::size_t page,
    const std::function<std::expected<void, std::string>(std::span<const store::LedgerRow>)>& keep,
    const std::function<void(const store::LedgerPlace&)>& progress);

std::expected<ArchiveOptions, std::string> read_archive(const Arguments& given);

Command archive_command();

}  // namespace inventory::cli
