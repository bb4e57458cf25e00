// What a caller of Archiver relies on, whichever the adapter.

#include <chrono>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/archiver.h"
#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using domain::ProductId;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::chrono::hours kDay{24};

class ArchiverConformance : public Conformance {
 protected:
  template <class... Kinds>
  void ask(const Kinds&... commands) {
    const std::vector<domain::Command> batch{commands...};
    const auto decided = run(store_->execute(batch));
    ASSERT_TRUE(decided) << decided.error().what;
  }

  // All that was decided so far was decided long ago.
  void years_pass() {
    database_->execute("UPDATE inventory_ledger SET decided_at = '2020-01-01 00:00:00.000000'");
  }

  std::unique_ptr<Archiver> begun() {
    auto archiver = database_->open_archiver();
    const auto begun = archiver->begin(kDay);
    EXPECT_TRUE(begun) << begun.error().what;
    return archiver;
  }

  static OldEntries find_old(Archiver& archiver, const LedgerPlace& after = {},
                             std::size_t count = 1'000) {
    auto old = archiver.find(after, count);
    EXPECT_TRUE(old) << old.error().what;
    return old.value_or(OldEntries());
  }

  static std::size_t take_out(Archiver& archiver, const OldEntries& old) {
    const auto gone = archiver.take_out(old.keys);
    EXPECT_TRUE(gone) << gone.error().what;
    return gone.value_or(0);
  }

  std::size_t archive() {
    const auto archiver = begun();
    return take_out(*archiver, find_old(*archiver));
  }

  std::set<std::string> identities(ProductId product) {
    const auto reader = database_->open_reader();
    EXPECT_TRUE(reader->begin());
    std::set<std::string> identities;
    const auto entries = reader->entries(product, {}, 1'000);
    EXPECT_TRUE(entries) << entries.error().what;
    for (const StoredEntry& entry : *entries) identities.insert(entry.identity);
    return identities;
  }

  void expect_agreement(ProductId product) {
    EXPECT_EQ(database_->ledger_sum(product), database_->on_hand(product).value_or(0));
  }

  static domain::Cancellation cancellation(std::int64_t id, ProductId product) {
    return {.id = domain::OrderId(id), .items = {{product, std::nullopt}}};
  }
  static domain::Confirmation confirmation(std::int64_t id, ProductId product) {
    return {.id = domain::OrderId(id), .items = {{product, std::nullopt}}};
  }
  static domain::Order held(std::int64_t id, ProductId product, domain::Quantity quantity) {
    return {
        .id = domain::OrderId(id), .product = product, .quantity = quantity, .hold_seconds = 60};
  }
};

TEST_P(ArchiverConformance, CarriesWhatOldEntriesDidToTheStock) {
  migrate();
  const auto shirt = product(10);
  const auto hat = product(5);
  ask(order(1, shirt, 2), order(2, shirt, 9), order(3, shirt, 3), order(4, hat + 100, 1));
  ask(cancellation(1, shirt));
  years_pass();
  EXPECT_EQ(archive(), 5U);
  EXPECT_THAT(identities(shirt), UnorderedElementsAre("opening", "balance"));
  EXPECT_THAT(identities(hat), UnorderedElementsAre("opening"));
  EXPECT_THAT(identities(hat + 100), IsEmpty()) << "what did nothing leaves nothing";
  expect_agreement(shirt);

  ask(order(5, shirt, 4));
  years_pass();
  EXPECT_EQ(archive(), 1U) << "into the entry that is there";
  EXPECT_THAT(identities(shirt), UnorderedElementsAre("opening", "balance"));
  expect_agreement(shirt);
  EXPECT_EQ(database_->on_hand(shirt), 3);
  EXPECT_EQ(archive(), 0U);
}

TEST_P(ArchiverConformance, AnOrderThatWasTakenOutIsNewAgain) {
  migrate();
  const auto shirt = product(10);
  ask(order(1, shirt, 2));
  years_pass();
  archive();
  EXPECT_EQ(decide({order(1, shirt, 3)}).front(), kAccepted);
  EXPECT_EQ(database_->on_hand(shirt), 5);
  expect_agreement(shirt);
}

TEST_P(ArchiverConformance, LeavesWhatIsYoungHeldOrWasAskedAboutSince) {
  migrate();
  const auto shirt = product(100);
  ask(order(1, shirt, 1), order(2, shirt, 1), held(3, shirt, 1), held(4, shirt, 1),
      held(5, shirt, 1), cancellation(6, shirt));
  ask(confirmation(4, shirt));
  years_pass();
  ask(cancellation(2, shirt), confirmation(5, shirt), order(7, shirt, 1));
  EXPECT_EQ(archive(), 4U) << "orders 1 and 4 with its confirmation, and what cancelled 6";
  EXPECT_THAT(identities(shirt),
              UnorderedElementsAre("opening", "balance", "i2", "ci2", "i3", "i5", "fi5", "i7"));
  expect_agreement(shirt);
  EXPECT_EQ(decide({order(2, shirt, 1)}).front(), replay(kAccepted));
}

TEST_P(ArchiverConformance, LeavesWhatIsNoHoldAnyMoreThoughNothingEndedIt) {
  migrate();
  const auto shirt = product(100);
  ask(held(1, shirt, 1));
  years_pass();
  database_->execute("DELETE FROM inventory_hold");
  EXPECT_EQ(archive(), 0U) << "verify tells of it";
  database_->execute(
      fmt::format("INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, "
                  "decided_at) VALUES ({}, 'fi1', 'hold_expired', 1, 0, '2020-01-01 "
                  "00:00:00.000000')",
                  shirt));
  EXPECT_EQ(archive(), 0U) << "a confirmation that was refused ends nothing";
}

TEST_P(ArchiverConformance, TakesNothingOutWhereATriggerSwallowsWhatItWouldCarry) {
  migrate();
  const auto shirt = product(10);
  ask(order(1, shirt, 2));
  years_pass();
  EXPECT_EQ(archive(), 1U);
  ask(order(2, shirt, 3));
  years_pass();
  database_->swallow_updates_of_the_ledger();
  const auto archiver = begun();
  const auto old = find_old(*archiver);
  ASSERT_EQ(old.keys.size(), 1U);
  for (int i = 0; i < 2; ++i) {
    const auto gone = archiver->take_out(old.keys);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().fault, Fault::failing);
    EXPECT_THAT(gone.error().what, testing::HasSubstr(fmt::format("product {}", shirt)));
  }
  EXPECT_THAT(identities(shirt), UnorderedElementsAre("opening", "balance", "i2"));
  expect_agreement(shirt);
}

TEST_P(ArchiverConformance, LeavesWhatWasAskedAboutAfterItWasFound) {
  migrate();
  const auto shirt = product(10);
  ask(order(1, shirt, 2), order(2, shirt, 2));
  years_pass();
  const auto archiver = begun();
  const auto old = find_old(*archiver);
  EXPECT_THAT(old.keys, ElementsAre(LedgerPlace{shirt, "i1"}, LedgerPlace{shirt, "i2"}));
  ask(cancellation(1, shirt));
  EXPECT_EQ(take_out(*archiver, old), 1U);
  EXPECT_THAT(identities(shirt), UnorderedElementsAre("opening", "balance", "i1", "ci1"));
  expect_agreement(shirt);
  EXPECT_EQ(take_out(*archiver, old), 0U) << "twice does nothing";
  expect_agreement(shirt);
}

TEST_P(ArchiverConformance, FindsPageByPageWhatIsThere) {
  migrate();
  const auto shirt = product(10);
  const auto hat = product(10);
  ask(order(1, shirt, 1), order("a\"b", shirt, 99), order(3, hat, 1));
  ask(cancellation(3, hat));
  years_pass();
  const auto archiver = begun();
  std::vector<LedgerPlace> keys;
  std::vector<LedgerRow> rows;
  std::optional<LedgerPlace> place = LedgerPlace();
  while (place) {
    auto old = find_old(*archiver, *place, 2);
    keys.insert(keys.end(), old.keys.begin(), old.keys.end());
    rows.insert(rows.end(), old.rows.begin(), old.rows.end());
    place = old.next;
  }
  EXPECT_THAT(keys, ElementsAre(LedgerPlace{shirt, "i1"}, LedgerPlace{shirt, "sa\"b"},
                                LedgerPlace{hat, "i3"}));
  ASSERT_EQ(rows.size(), 4U) << "the cancellation goes with its order";
  const std::string time = "2020-01-01 00:00:00.000000+00";
  EXPECT_EQ(rows[0], (LedgerRow{std::to_string(shirt), "i1", "accepted", "1", "-1", time, "9", "1",
                                std::nullopt, std::nullopt, std::nullopt}));
  EXPECT_EQ(rows[1][2], "not_enough_stock");
  EXPECT_EQ(rows[2][1], "ci3");
  EXPECT_EQ(rows[3][1], "i3");
}

TEST_P(ArchiverConformance, RefusesADatabaseWithoutTheSchema) {
  const auto archiver = database_->open_archiver();
  EXPECT_FALSE(archiver->begin(kDay));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, ArchiverConformance, testing::ValuesIn(adapters()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
