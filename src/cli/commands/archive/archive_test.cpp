#include "cli/commands/archive/archive.h"

#include <map>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// Pages of keys, a row for each; some products are locked, by somebody who keeps them.
class MemoryArchiver : public store::Archiver {
 public:
  explicit MemoryArchiver(std::vector<std::vector<store::LedgerPlace>> pages)
      : pages_(std::move(pages)) {}

  store::Result<void> begin(std::chrono::seconds) override { return {}; }

  store::Result<store::OldEntries> find(const store::LedgerPlace&, std::size_t) override {
    store::OldEntries old{.keys = pages_.at(at_), .rows = {}, .next = {}};
    for (const auto& key : old.keys) old.rows.push_back({std::to_string(key.product)});
    if (++at_ < pages_.size()) old.next = store::LedgerPlace{std::int64_t(at_), "x"};
    return old;
  }

  store::Result<std::size_t> take_out(std::span<const store::LedgerPlace> keys) override {
    if (fails_with) return std::unexpected(store::Error{*fails_with, "it failed"});
    for (const auto& key : keys) {
      if (failing.contains(key.product)) {
        return std::unexpected(store::Error{store::Fault::failing, "a trigger fails"});
      }
      if (locked.contains(key.product)) {
        return std::unexpected(store::Error{store::Fault::locked, "somebody keeps a row"});
      }
    }
    for (const auto& key : keys) gone.push_back(key.product);
    return keys.size();
  }

  std::set<domain::ProductId> locked;
  std::set<domain::ProductId> failing;
  std::optional<store::Fault> fails_with;
  std::vector<domain::ProductId> gone;

 private:
  std::vector<std::vector<store::LedgerPlace>> pages_;
  std::size_t at_ = 0;
};

struct Run {
  std::vector<std::string> kept;
  std::expected<Archived, std::string> archived;
};

Run run_archive(MemoryArchiver& archiver, std::expected<void, std::string> keep = {}) {
  Run run;
  run.archived = archive_all(
      archiver, std::chrono::hours(24), 10,
      [&](std::span<const store::LedgerRow> rows) {
        for (const auto& row : rows) {
          run.kept.push_back(*row.front());
          EXPECT_THAT(archiver.gone, Not(Contains(std::stoll(run.kept.back()))))
              << "kept before it goes";
        }
        return keep;
      },
      [](const store::LedgerPlace&) {});
  return run;
}

TEST(Archive, TakesOutPageByPageWhatWasKept) {
  MemoryArchiver archiver({{{1, "i1"}, {2, "i1"}}, {}, {{3, "i1"}}});
  const auto run = run_archive(archiver);
  ASSERT_TRUE(run.archived) << run.archived.error();
  EXPECT_EQ(run.archived->entries, 3U);
  EXPECT_THAT(run.kept, ElementsAre("1", "2", "3"));
  EXPECT_THAT(archiver.gone, ElementsAre(1, 2, 3));
}

TEST(Archive, LeavesOnlyTheProductThatSomebodyKeepsLocked) {
  MemoryArchiver archiver({{{1, "i1"}, {2, "i1"}, {2, "i2"}, {3, "i1"}}});
  archiver.locked = {2};
  const auto run = run_archive(archiver);
  ASSERT_TRUE(run.archived) << run.archived.error();
  EXPECT_THAT(archiver.gone, ElementsAre(1, 3));
  EXPECT_EQ(run.archived->stayed, 2U);
  EXPECT_EQ(run.archived->error, "somebody keeps a row");
}

TEST(Archive, LeavesOnlyTheProductThatFails) {
  MemoryArchiver archiver({{{1, "i1"}, {2, "i1"}, {3, "i1"}}, {{4, "i1"}}});
  archiver.failing = {2};
  const auto run = run_archive(archiver);
  ASSERT_TRUE(run.archived) << run.archived.error();
  EXPECT_THAT(archiver.gone, ElementsAre(1, 3, 4));
  EXPECT_EQ(run.archived->stayed, 1U);
  EXPECT_EQ(run.archived->error, "a trigger fails");
}

TEST(Archive, FailsWhereNothingPasses) {
  MemoryArchiver archiver({{{1, "i1"}}, {{2, "i1"}}});
  archiver.failing = {1, 2};
  EXPECT_EQ(run_archive(archiver).archived.error(), "a trigger fails");
}

TEST(Archive, GivesUpWhereManyProductsAreLocked) {
  std::vector<store::LedgerPlace> page;
  for (domain::ProductId product = 1; product <= 20; ++product) page.push_back({product, "i1"});
  MemoryArchiver full({page});
  for (domain::ProductId product = 1; product <= 20; ++product) full.locked.insert(product);
  const auto run = run_archive(full);
  ASSERT_FALSE(run.archived);
  EXPECT_EQ(run.archived.error(), "somebody keeps a row");
}

TEST(Archive, TakesNothingOutThatCouldNotBeKept) {
  MemoryArchiver archiver({{{1, "i1"}}});
  const auto run = run_archive(archiver, std::unexpected("the disk is full"));
  ASSERT_FALSE(run.archived);
  EXPECT_EQ(run.archived.error(), "the disk is full");
  EXPECT_THAT(archiver.gone, IsEmpty());
}

TEST(Archive, EndsWithTheErrorOfTheDatabase) {
  MemoryArchiver archiver({{{1, "i1"}}});
  archiver.fails_with = store::Fault::in_doubt;
  EXPECT_EQ(run_archive(archiver).archived.error(), "it failed");
}

}  // namespace
}  // namespace inventory::cli
