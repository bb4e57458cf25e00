#pragma once

// ArchiveFile: writes entries that leave the ledger as compressed CSV (.csv.gz) with the table's
// columns; `COPY inventory_ledger FROM` reads it. An empty field without quotes is NULL.
//
// Invariants:
//   1. When add() has returned, its rows are on disk and stay readable whatever happens afterwards:
//      each call writes a gzip member of its own (RFC 1952, 2.2), and a call that fails leaves no
//      part of one.
//   2. An existing file is not changed.
//
// Errors: a line that names the file.

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

#include "domain/partition.h"
#include "store/archiver.h"

namespace inventory::cli {

// A row of the file, with a newline.
std::string csv_line(const store::LedgerRow& row);

// Compresses a text as one gzip member.
std::string gzip(std::string_view text);

class ArchiveFile {
 public:
  using Done = std::expected<void, std::string>;

  // If `path` is a folder, creates a file in it, named after the time and the partition.
  static std::expected<ArchiveFile, std::string> create(
      const std::string& path, const std::optional<domain::Partition>& partition = std::nullopt);

  ArchiveFile(ArchiveFile&& other) noexcept;
  ArchiveFile& operator=(ArchiveFile&&) = delete;
  ~ArchiveFile();

  Done add(std::span<const store::LedgerRow> rows);

  const std::string& path() const { return path_; }

  // For a file without entries.
  void remove() const;

 private:
  ArchiveFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  Done write(std::string_view member);
  std::string failure() const;

  std::string path_;
  int descriptor_;  // -1: moved from
  off_t size_ = 0;  // of the complete members
};

}  // namespace inventory::cli
