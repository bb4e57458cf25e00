#include "cli/commands/archive/archive_file.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>
#define ZLIB_CONST  // makes zlib's input const
#include <zlib.h>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace inventory::cli {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;  // makes zlib write gzip's format
constexpr int kMemoryLevel = 8;        // zlib's default

// Whether a column of the ledger is text.
bool is_text(std::size_t column) {
  const auto name = store::kLedgerColumns[column];
  return name == "identity" || name == "outcome" || name == "reason" || name == "terms";
}

// A new file's name is on disk only after its folder is synced.
bool sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool is_synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return is_synced;
}

std::string file_in(const std::string& to, const std::optional<domain::Partition>& partition) {
  std::error_code none;  // a path that does not exist is no folder
  if (!std::filesystem::is_directory(to, none)) return to;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return std::filesystem::path(to) /
         fmt::format("ledger-{}{:%Y-%m-%dT%H%M%S}.{:03}Z.csv.gz",
                     partition ? fmt::format("{}-", partition->number) : "", seconds,
                     (now - seconds).count());
}

}  // namespace

std::string csv_line(const store::LedgerRow& row) {
  std::string line;
  for (std::size_t column = 0; column < row.size(); ++column) {
    if (column > 0) line += ',';
    const auto& value = row[column];
    if (!value) continue;
    if (!is_text(column)) {
      line += *value;
      continue;
    }
    line += '"';
    for (const char character : *value) {
      line += character;
      if (character == '"') line += '"';
    }
    line += '"';
  }
  return line + '\n';
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib could not begin to compress");
  }
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  const int code = deflate(&stream, Z_FINISH);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) throw std::runtime_error("zlib could not compress");
  return bytes;
}

std::expected<ArchiveFile, std::string> ArchiveFile::create(
    const std::string& to, const std::optional<domain::Partition>& partition) {
  const std::string path = file_in(to, partition);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  ArchiveFile file(path, descriptor);
  if (descriptor < 0) return std::unexpected(file.failure());
  auto written = file.write(gzip(fmt::format("{}\n", fmt::join(store::kLedgerColumns, ","))));
  if (written && !sync_folder_of(path)) written = std::unexpected(file.failure());
  if (written) return file;
  file.remove();  // else it would prevent the next try
  return std::unexpected(std::move(written.error()));
}

ArchiveFile::ArchiveFile(ArchiveFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

ArchiveFile::~ArchiveFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ArchiveFile::remove() const { ::unlink(path_.c_str()); }

ArchiveFile::Done ArchiveFile::add(std::span<const store::LedgerRow> rows) {
  std::string lines;
  for (const store::LedgerRow& row : rows) lines += csv_line(row);
  return write(gzip(lines));
}

// Writes all of a member to disk, or nothing.
ArchiveFile::Done ArchiveFile::write(std::string_view member) {
  std::string_view left = member;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!left.empty() || ::fsync(descriptor_) != 0) {
    std::string why = failure();
    if (::ftruncate(descriptor_, size_) != 0) why += "; and its end is not whole: " + failure();
    return std::unexpected(std::move(why));
  }
  size_ += static_cast<off_t>(member.size());
  return {};
}

// The error of the call that has just failed.
std::string ArchiveFile::failure() const {
  return fmt::format("{}: {}", path_, std::generic_category().message(errno));
}

}  // namespace inventory::cli
