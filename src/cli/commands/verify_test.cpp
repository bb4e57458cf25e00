#include "cli/commands/verify.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using store::Amount;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A database in memory; its calls fail from the `fails_at`th on.
class MemoryReader : public store::Reader {
 public:
  MemoryReader(std::vector<Amount> stock, std::vector<Amount> ledger)
      : stock_(std::move(stock)), ledger_(std::move(ledger)) {}

  store::Result<void> begin() override {
    if (fails()) {
      return failure();
    }
    return {};
  }
  store::Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) override {
    if (fails()) {
      return failure();
    }
    std::vector<Amount> page;
    for (const Amount& amount : stock_) {
      if (amount.product > after && page.size() < count) {
        page.push_back(amount);
      }
    }
    return page;
  }
  store::Result<std::vector<store::StoredItem>> items(domain::ProductId, std::size_t,
                                                      std::size_t) override {
    return std::vector<store::StoredItem>();
  }
  // An entry for each of the amounts; its place is its identity.
  store::Result<store::LedgerPart> ledger(const store::LedgerPlace& after,
                                          std::size_t count) override {
    if (fails()) {
      return failure();
    }
    store::LedgerPart part;
    std::size_t at = after.identity.empty() ? 0 : std::stoul(after.identity);
    for (std::size_t read = 0; read < count && at < ledger_.size(); ++read) {
      const Amount& entry = ledger_[at++];
      if (part.sums.empty() || part.sums.back().product != entry.product) {
        part.sums.push_back({entry.product, 0});
      }
      part.sums.back().quantity += entry.quantity;
      if (read + 1 == count) {
        part.next = store::LedgerPlace{entry.product, std::to_string(at)};
      }
    }
    return part;
  }

  int fails_at = 0;  // never

 private:
  bool fails() { return ++calls_ == fails_at; }
  static std::unexpected<store::Error> failure() {
    return std::unexpected(store::Error{store::Fault::link_lost, "the link broke"});
  }

  std::vector<Amount> stock_;
  std::vector<Amount> ledger_;
  int calls_ = 0;
};

struct Comparison {
  std::vector<Disagreement> disagreements;
  Compared compared;
};

Comparison compare_all(std::vector<Amount> stock, std::vector<Amount> ledger, std::size_t page) {
  MemoryReader reader(std::move(stock), std::move(ledger));
  Comparison comparison;
  const auto compared = compare(
      reader, page, [&](const auto& one) { comparison.disagreements.push_back(one); },
      [](const Compared&) {});
  EXPECT_TRUE(compared);
  comparison.compared = compared.value_or(Compared{});
  EXPECT_EQ(comparison.compared.disagreements, comparison.disagreements.size());
  return comparison;
}

TEST(Verify, AgreesWhereEachSumIsTheStock) {
  const auto comparison = compare_all({{1, 5}, {2, 0}, {3, 7}}, {{1, 5}, {3, 7}}, 100);
  EXPECT_THAT(comparison.disagreements, IsEmpty());
  EXPECT_EQ(comparison.compared.products, 3U);
}

TEST(Verify, FindsWhatDisagreesWhereverThePagesEnd) {
  const std::vector<Amount> stock{{2, 5}, {4, 1}, {6, 0}, {8, 3}};
  const std::vector<Amount> ledger{{1, 9}, {2, 4}, {5, -1}, {6, 2}, {8, 3}, {9, 1}};
  for (std::size_t page = 1; page < 6; ++page) {
    const auto comparison = compare_all(stock, ledger, page);
    EXPECT_THAT(comparison.disagreements,
                ElementsAre(Disagreement{1, std::nullopt, 9}, Disagreement{2, 5, 4},
                            Disagreement{4, 1, 0}, Disagreement{5, std::nullopt, -1},
                            Disagreement{6, 0, 2}, Disagreement{9, std::nullopt, 1}))
        << "pages of " << page;
    EXPECT_EQ(comparison.compared.products, 7U);
  }
}

TEST(Verify, FailsWhereAnyReadFails) {
  for (int fails_at = 1; fails_at <= 7; ++fails_at) {
    MemoryReader reader({{1, 1}, {2, 2}}, {{1, 1}, {2, 2}});
    reader.fails_at = fails_at;
    EXPECT_FALSE(compare(
        reader, 1, [](const Disagreement&) {}, [](const Compared&) {}))
        << "call " << fails_at;
  }
}

}  // namespace
}  // namespace inventory::cli
