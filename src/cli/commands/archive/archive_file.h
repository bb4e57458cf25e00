#pragma once

// ArchiveFile: entries that leave the ledger, as compressed CSV (.csv.gz), with the table's
// columns: `COPY inventory_ledger FROM` takes it back. A field without quotes is empty where it was
// NULL.
//
// Invariants:
//   1. What add() has returned for is on disk, and stays readable whatever happens afterwards: each
//      call ends a gzip member of its own (RFC 1952, 2.2), and one that fails leaves none in part.
//   2. A file that was there before is not touched.
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

// A row of the file, with its line end.
std::string csv_line(const store::LedgerRow& row);

// Of a text, a gzip member by itself.
std::string gzip(std::string_view text);

class ArchiveFile {
 public:
  using Done = std::expected<void, std::string>;

  // Where `path` is a folder, a file in it that has its name of the time, and of the partition.
  static std::expected<ArchiveFile, std::string> create(
      const std::string& path, const std::optional<domain::Partition>& partition = std::nullopt);

  ArchiveFile(ArchiveFile&& other) noexcept;
  ArchiveFile& operator=(ArchiveFile&&) = delete;
  ~ArchiveFile();

  Done add(std::span<const store::LedgerRow> rows);

  const std::string& path() const { return path_; }

  // Of a file without entries.
  void remove() const;

 private:
  ArchiveFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  Done write(std::string_view member);
  std::string failure() const;

  std::string path_;
  int descriptor_;  // -1: moved away
  off_t size_ = 0;  // of its whole members
};

}  // namespace inventory::cli
