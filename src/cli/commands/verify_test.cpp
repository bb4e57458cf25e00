#include "cli/commands/verify.h"

#include <map>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/empty_reader.h"

namespace inventory::cli {
namespace {

using store::Amount;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A database in memory; its calls fail from the `fails_at`th on.
class MemoryReader : public store::EmptyReader {
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
      if (const auto found = lost.find(entry.product); found != lost.end()) {
        part.lost_holds.push_back({entry.product, 1, found->second});
      }
      if (read + 1 == count) {
        part.next = store::LedgerPlace{entry.product, std::to_string(at)};
      }
    }
    return part;
  }
  store::Result<std::vector<store::OpenHold>> holds(const store::LedgerPlace& after,
                                                    std::size_t count) override {
    if (fails()) {
      return failure();
    }
    std::vector<store::OpenHold> page;
    for (const store::OpenHold& hold : open_holds) {
      const bool is_behind = std::tie(after.product, after.identity) <
                             std::tie(hold.order.product, hold.order.identity);
      if (is_behind && page.size() < count) page.push_back(hold);
    }
    return page;
  }
  std::vector<store::OpenHold> open_holds;        // in the order of keys
  std::map<domain::ProductId, std::string> lost;  // the order of a product, which holds no more
  int fails_at = 0;                               // never

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
  const auto compared =
      compare(reader, page, std::nullopt,
              {.of_stock = [&](const auto& one) { comparison.disagreements.push_back(one); },
               .of_hold = [](const auto&) { FAIL() << "there is no hold"; },
               .of_misplaced = {}},
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

TEST(Verify, FindsProductsOfAnotherPartition) {
  MemoryReader reader({{-1, 1}, {3, 1}, {4, 0}, {7, 2}}, {{-1, 1}, {3, 1}, {7, 2}});
  std::vector<std::pair<domain::ProductId, domain::Partition>> misplaced;
  const auto compared = compare(
      reader, 2, domain::Partition{.number = 3, .count = 4},
      {.of_stock = [](const auto&) { FAIL() << "all add up"; },
       .of_hold = [](const auto&) { FAIL() << "there is no hold"; },
       .of_misplaced = [&](auto product,
                           const auto& its_own) { misplaced.emplace_back(product, its_own); }},
      [](const Compared&) {});
  ASSERT_TRUE(compared);
  EXPECT_THAT(misplaced, ElementsAre(std::pair(4, domain::Partition{.number = 0, .count = 4})));
  EXPECT_EQ(compared->misplaced, 1U);
  EXPECT_FALSE(compared->agrees());
}

TEST(Verify, FailsWhereAnyReadFails) {
  for (int fails_at = 1; fails_at <= 7; ++fails_at) {
    MemoryReader reader({{1, 1}, {2, 2}}, {{1, 1}, {2, 2}});
    reader.fails_at = fails_at;
    EXPECT_FALSE(
        compare(reader, 1, std::nullopt,
                {.of_stock = [](const auto&) {}, .of_hold = [](const auto&) {}, .of_misplaced = {}},
                [](const Compared&) {}))
        << "call " << fails_at;
  }
}

using store::OpenHold;

// As it should be: of 2 pieces, until the second 1.
OpenHold open_hold(domain::ProductId product, const std::string& order) {
  const domain::Timestamp until(std::chrono::seconds(1));
  return {.order = {product, order},
          .quantity = 2,
          .expires_at = until,
          .entry = domain::LedgerEntry{.key = {product, order},
                                       .outcome = domain::Outcome::held,
                                       .quantity = 2,
                                       .terms = "hold 60 until 1000000"},
          .ending = ""};
}

TEST(Verify, FindsHoldsThatTheLedgerDoesNotExplain) {
  std::vector<OpenHold> holds;
  for (const char* order : {"s1", "s2", "s3", "s4", "s5", "s6", "s7"}) {
    holds.push_back(open_hold(1, order));
  }
  holds[1].entry.reset();
  holds[2].entry->outcome = domain::Outcome::not_enough_stock;
  holds[3].ending = "confirmed";
  holds[4].quantity = 3;
  holds[5].expires_at = domain::Timestamp(std::chrono::seconds(2));
  holds[6].quantity.reset();
  for (std::size_t page = 1; page < 9; ++page) {
    MemoryReader reader({{1, 5}}, {{1, 5}, {2, 0}});
    reader.open_holds = holds;
    reader.lost[2] = "i7";
    std::vector<HoldFlaw> flaws;
    const auto compared = compare(reader, page, std::nullopt,
                                  {.of_stock = [](const auto&) { FAIL() << "the stock is right"; },
                                   .of_hold = [&](const HoldFlaw& flaw) { flaws.push_back(flaw); },
                                   .of_misplaced = {}},
                                  [](const Compared&) {});
    ASSERT_TRUE(compared);
    EXPECT_THAT(
        flaws, ElementsAre(HoldFlaw{2, "i7", "neither held nor confirmed, cancelled or expired"},
                           HoldFlaw{1, "s2", "is held, but its order is not in the ledger as held"},
                           HoldFlaw{1, "s3", "is held, but its order is not in the ledger as held"},
                           HoldFlaw{1, "s4", "is held, though it was confirmed"},
                           HoldFlaw{1, "s5", "3 is held, of 2 that were ordered"},
                           HoldFlaw{1, "s6", "is held until another time than its order says"},
                           HoldFlaw{1, "s7", "no number is held, of 2 that were ordered"}))
        << "pages of " << page;
    EXPECT_EQ(compared->holds, 7U);
    EXPECT_EQ(compared->flawed_holds, 7U);
    EXPECT_FALSE(compared->agrees());
  }
}

}  // namespace
}  // namespace inventory::cli
