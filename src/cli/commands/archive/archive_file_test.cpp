#include "cli/commands/archive/archive_file.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>
#include <zlib.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using ::testing::HasSubstr;

const store::LedgerRow kOrderRow{
    "7", "i42", "accepted",   "2",          "-2",        "2026-09-01 03:00:00.123456",
    "8", "3",   std::nullopt, std::nullopt, std::nullopt};

class ArchiveFileTest : public ::testing::Test {
 public:
  ArchiveFileTest() {
    std::string name = std::filesystem::temp_directory_path() / "inventory-archive-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder could be made");
    folder_ = name;
  }
  ~ArchiveFileTest() override { std::filesystem::remove_all(folder_); }

 protected:
  std::string path() const { return folder_ / "ledger.csv.gz"; }

  // As zcat reads it: all its members.
  std::string unpacked() const {
    std::string text;
    gzFile file = gzopen(path().c_str(), "rb");
    char part[100];
    for (int read = 0; (read = gzread(file, part, sizeof part)) > 0;) {
      text.append(part, static_cast<std::size_t>(read));
    }
    EXPECT_EQ(gzclose(file), Z_OK) << "the file is whole";
    return text;
  }

  std::filesystem::path folder_;
};

constexpr std::string_view kHead =
    "product_id,identity,outcome,quantity,delta,decided_at,quantity_after,version,reason,terms,"
    "message_hash\n";

TEST_F(ArchiveFileTest, HoldsTheColumnsOfTheTableAndARowForEachEntry) {
  auto file = ArchiveFile::create(path());
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(unpacked(), kHead) << "whole from the beginning on";
  ASSERT_TRUE(file->add(std::vector{kOrderRow}));
  ASSERT_TRUE(file->add(std::vector{kOrderRow, kOrderRow}));
  const std::string row = "7,\"i42\",\"accepted\",2,-2,2026-09-01 03:00:00.123456,8,3,,,\n";
  EXPECT_EQ(unpacked(), std::string(kHead) + row + row + row);
}

TEST_F(ArchiveFileTest, HasItsNameOfTheTimeInAFolder) {
  const auto file = ArchiveFile::create(folder_);
  ASSERT_TRUE(file) << file.error();
  EXPECT_THAT(file->path(),
              ::testing::MatchesRegex(folder_.string() + "/ledger-....-..-..T..........Z.csv.gz"));

  const auto third = ArchiveFile::create(folder_, domain::Partition{.number = 3, .count = 4});
  ASSERT_TRUE(third) << third.error();
  EXPECT_THAT(third->path(), HasSubstr("/ledger-3-20"));
}

TEST_F(ArchiveFileTest, TellsNullFromEmptyAndDoublesQuotes) {
  auto row = kOrderRow;
  row[1] = "sa,\"b\"\nc";
  row[8] = "";
  EXPECT_EQ(csv_line(row),
            "7,\"sa,\"\"b\"\"\nc\",\"accepted\",2,-2,2026-09-01 03:00:00.123456,8,3,\"\",,\n");
}

TEST_F(ArchiveFileTest, DoesNotTouchAFileThatIsThere) {
  std::ofstream(path()) << "mine";
  const auto file = ArchiveFile::create(path());
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error(), HasSubstr(path() + ": File exists"));
  std::ifstream left(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator(left), {}), "mine");
}

TEST_F(ArchiveFileTest, StaysWholeWhereTheDiskIsFullInTheMiddleOfARow) {
  auto file = ArchiveFile::create(path());
  ASSERT_TRUE(file) << file.error();
  ASSERT_TRUE(file->add(std::vector{kOrderRow}));
  const std::string before = unpacked();

  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto usual_signal = std::signal(SIGXFSZ, SIG_IGN);
  const rlim_t room = std::filesystem::file_size(path()) + 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, std::array{rlimit{room, usual.rlim_max}}.data()), 0);
  const auto failed = file->add(std::vector{kOrderRow});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);
  std::signal(SIGXFSZ, usual_signal);

  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), HasSubstr(path() + ": File too large"));
  EXPECT_EQ(unpacked(), before);
}

TEST_F(ArchiveFileTest, SaysWhenTheDiskIsFull) {
  std::filesystem::create_symlink("/dev/full", folder_ / "full");
  // O_EXCL refuses a link, so that only what is written to can be full.
  EXPECT_FALSE(ArchiveFile::create(folder_ / "full"));
  const auto nowhere = ArchiveFile::create(folder_ / "no" / "folder");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace inventory::cli
