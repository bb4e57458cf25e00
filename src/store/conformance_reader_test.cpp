// What a caller of Reader relies on, whichever the adapter.

#include <limits>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/item_search.h"
#include "store/order_search.h"
#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kBytes = 1 << 20;
constexpr auto kFirst = std::numeric_limits<domain::ProductId>::min();

template <class T>
std::vector<T> value(Result<std::vector<T>> rows) {
  if (!rows) {
    throw std::runtime_error(rows.error().what);
  }
  return std::move(*rows);
}

std::unique_ptr<Reader> begun(TestDatabase& database) {
  auto reader = database.open_reader();
  if (auto begun = reader->begin(); !begun) {
    throw std::runtime_error(begun.error().what);
  }
  return reader;
}

TEST_P(Conformance, ReadsStockPageByPage) {
  migrate();
  const auto first = product(5);
  const auto second = product(0);
  const auto third = product(7);
  const auto reader = begun(*database_);
  EXPECT_THAT(value(reader->stock(kFirst, 2)), ElementsAre(Amount{first, 5}, Amount{second, 0}));
  EXPECT_THAT(value(reader->stock(second, 2)), ElementsAre(Amount{third, 7}));
  EXPECT_THAT(value(reader->stock(third, 2)), IsEmpty());
}

TEST_P(Conformance, ReadsItemsPageByPage) {
  migrate();
  const auto added =
      add({{std::nullopt, 5, "Blue \"é\"", domain::Timestamp(std::chrono::microseconds(1))},
           {std::nullopt, 0, std::nullopt, domain::Timestamp()}});
  const auto reader = begun(*database_);
  const auto items = reader->items(kFirst, 10, kBytes);
  ASSERT_TRUE(items) << items.error().what;
  ASSERT_EQ(items->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const domain::Item& expected = added[i].item;
    EXPECT_EQ((*items)[i], (StoredItem{expected.id, expected.quantity, expected.description,
                                       expected.created_at}));
  }
  const auto second = reader->items(added[0].item.id, 10, kBytes);
  ASSERT_TRUE(second && second->size() == 1);
  EXPECT_EQ(second->front().id, added[1].item.id);
  EXPECT_TRUE(reader->items(added[1].item.id, 10, kBytes)->empty());
}

TEST_P(Conformance, AddsUpTheLedgerOfARangeOfProducts) {
  migrate();
  const auto first = product(5);
  const auto second = product(6);
  const auto sold_out = product(1);
  const auto last = product(8);
  decide({order(1, first, 2), order(2, first, 9), order(3, sold_out, 1), order(4, last + 100, 1)});
  const auto reader = begun(*database_);
  const auto whole = reader->ledger({}, 100);
  ASSERT_TRUE(whole) << whole.error().what;
  EXPECT_THAT(whole->sums, ElementsAre(Amount{first, 3}, Amount{second, 6}, Amount{sold_out, 0},
                                       Amount{last, 8}, Amount{last + 100, 0}));
  EXPECT_FALSE(whole->next);

  // Entry by entry it comes to the same.
  std::map<domain::ProductId, domain::Quantity> sums;
  int parts = 0;
  for (LedgerPlace place;; ++parts) {
    const auto part = reader->ledger(place, 1);
    ASSERT_TRUE(part) << part.error().what;
    for (const Amount& sum : part->sums) sums[sum.product] += sum.quantity;
    if (!part->next) break;
    place = *part->next;
  }
  EXPECT_EQ(parts, 8);  // four openings, four orders
  for (const Amount& sum : whole->sums) EXPECT_EQ(sums[sum.product], sum.quantity);
}

std::vector<domain::ProductId> ids_of(const std::vector<StoredItem>& items) {
  std::vector<domain::ProductId> ids;
  ids.reserve(items.size());
  for (const StoredItem& item : items) ids.push_back(item.id);
  return ids;
}

// Page by page, as far as there are any.
std::vector<domain::ProductId> found(Reader& reader, ItemSearch search, std::size_t page = 2) {
  std::vector<domain::ProductId> ids;
  for (;;) {
    const auto items = value(reader.find_items(search, page, kBytes));
    for (const StoredItem& item : items) ids.push_back(item.id);
    if (items.empty()) return ids;
    search.after = place_of(items.back(), search.order);
  }
}

TEST_P(Conformance, FindsItemsByTheirDescription) {
  migrate();
  const auto item = [](std::string text) {
    return domain::NewItem{std::nullopt, 5, std::move(text), {}};
  };
  const auto added = add({item("Blue T-shirt"),
                          item("blue 100% cotton"),
                          item("a_b\\c"),
                          {std::nullopt, 5, std::nullopt, {}},
                          item("Ärmel <b>'\"")});
  const auto id = [&](std::size_t i) { return added[i].item.id; };
  const auto reader = begun(*database_);
  EXPECT_THAT(found(*reader, {.text = "BLUE"}), ElementsAre(id(0), id(1)));
  EXPECT_THAT(found(*reader, {.text = "100%"}), ElementsAre(id(1)));
  EXPECT_THAT(found(*reader, {.text = "%"}), ElementsAre(id(1)));
  EXPECT_THAT(found(*reader, {.text = "_"}), ElementsAre(id(2)));
  EXPECT_THAT(found(*reader, {.text = "\\"}), ElementsAre(id(2)));
  EXPECT_THAT(found(*reader, {.text = "RMEL"}), ElementsAre(id(4)));
  EXPECT_THAT(found(*reader, {.text = "Ärmel <B>'\""}), ElementsAre(id(4)));
  EXPECT_THAT(found(*reader, {.text = "' OR 1=1 --"}), IsEmpty());
  EXPECT_EQ(found(*reader, {}).size(), 5U);
}

TEST_P(Conformance, FindsItemsInTheOrderOfTheirQuantityAndScarcity) {
  migrate();
  const auto item = [](domain::Quantity quantity, std::optional<domain::Quantity> low) {
    domain::NewItem made{std::nullopt, quantity, "x", {}};
    made.low_stock = low;
    return made;
  };
  const auto added = add({item(7, std::nullopt), item(0, std::nullopt), item(3, 3), item(9, 3),
                          item(0, 5), item(3, std::nullopt), item(2, 2)});
  const auto id = [&](std::size_t i) { return added[i].item.id; };
  const auto reader = begun(*database_);
  for (const std::size_t page : {1UL, 2UL, 100UL}) {
    EXPECT_THAT(found(*reader, {.order = ItemOrder::quantity}, page),
                ElementsAre(id(1), id(4), id(6), id(2), id(5), id(0), id(3)));
    EXPECT_THAT(found(*reader, {.order = ItemOrder::scarcity}, page),
                ElementsAre(id(1), id(4), id(2), id(6), id(0), id(3), id(5)));
  }
  const auto first =
      value(reader->find_items({.text = "X", .order = ItemOrder::scarcity}, 3, kBytes));
  EXPECT_THAT(ids_of(first), ElementsAre(id(1), id(4), id(2)));
  EXPECT_EQ(first[2].quantity, 3);
  EXPECT_EQ(first[2].low_stock, 3);
  EXPECT_EQ(first[2].description, "x");
}

TEST_P(Conformance, EndsAPageOfFoundItemsWhereTheirDescriptionsAreTooLong) {
  migrate();
  const std::string text(1'000, 'x');
  add({{std::nullopt, 1, text, {}}, {std::nullopt, 0, text, {}}, {std::nullopt, 2, text, {}}});
  const auto reader = begun(*database_);
  for (const auto order : {ItemOrder::id, ItemOrder::quantity, ItemOrder::scarcity}) {
    EXPECT_EQ(value(reader->find_items({.text = "x", .order = order}, 10, 2'000)).size(), 2U);
    EXPECT_EQ(value(reader->find_items({.text = "x", .order = order}, 10, 1)).size(), 1U);
  }
}

TEST_P(Conformance, EndsAPageOfItemsWhereTheirDescriptionsAreTooLong) {
  migrate();
  const std::string text(1'000, 'x');
  const auto added =
      add({{std::nullopt, 1, text, {}}, {std::nullopt, 1, text, {}}, {std::nullopt, 1, text, {}}});
  const auto reader = begun(*database_);
  EXPECT_EQ(reader->items(kFirst, 10, 2'000)->size(), 2U);
  EXPECT_EQ(reader->items(kFirst, 10, 1'999)->size(), 1U);
  EXPECT_EQ(reader->items(kFirst, 10, 1)->size(), 1U);  // else reading would not go on
  EXPECT_EQ(reader->items(added[1].item.id, 10, 1)->size(), 1U);
}

TEST_P(Conformance, LeavesOutADescriptionThatIsLongerThanAnyOfTheServices) {
  migrate();
  database_->execute(fmt::format(
      "INSERT INTO inventory (id, quantity, description, created_at) VALUES "
      "(1, 1, '{}', '2026-11-23 03:00:00'), (2, 1, '{}', '2026-11-23 03:00:00')",
      std::string(kDescriptionBytesShown, 'x'), std::string(kDescriptionBytesShown + 1, 'x')));
  const auto items = begun(*database_)->items(kFirst, 10, 10 * kDescriptionBytesShown);
  ASSERT_TRUE(items) << items.error().what;
  EXPECT_EQ(items->at(0).description->size(), kDescriptionBytesShown);
  EXPECT_FALSE(items->at(0).has_long_description);
  EXPECT_FALSE(items->at(1).description);
  EXPECT_TRUE(items->at(1).has_long_description);
}

domain::Order holding(int id, domain::ProductId product, domain::Quantity quantity) {
  domain::Order held = order(id, product, quantity);
  held.hold_seconds = 1'000;
  return held;
}

TEST_P(Conformance, ShowsWhatIsHeldOfAnItemAndWhatItsLowStockIs) {
  migrate();
  domain::NewItem low{std::nullopt, 9, std::nullopt, {}};
  low.low_stock = 3;
  add({low, {std::nullopt, 9, std::nullopt, {}}});
  const auto before = begun(*database_)->items(kFirst, 10, kBytes);
  ASSERT_TRUE(before && before->size() == 2);
  const auto shirt = before->front().id;
  decide({holding(1, shirt, 2), holding(2, shirt, 3), order(3, shirt, 1)});
  const auto items = begun(*database_)->items(kFirst, 10, kBytes);
  ASSERT_TRUE(items && items->size() == 2) << items.error().what;
  EXPECT_EQ(items->front().held, 5);
  EXPECT_EQ(items->front().quantity, 3);
  EXPECT_EQ(items->front().low_stock, 3);
  EXPECT_EQ(items->front().version, before->front().version + 3);
  EXPECT_EQ(items->back().held, 0);
  EXPECT_FALSE(items->back().low_stock);
}

TEST_P(Conformance, ReadsHoldsPageByPageWithTheirOrders) {
  migrate();
  const auto shirt = product(9);
  const auto sock = product(9);
  decide({holding(1, shirt, 2), holding(2, shirt, 3), holding(1, sock, 1)});
  database_->execute(fmt::format("DELETE FROM inventory_ledger WHERE product_id = {}", sock));
  database_->execute(
      fmt::format("INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, "
                  "decided_at) VALUES ({}, 'fi2', 'confirmed', 3, 0, '2026-11-23 03:00:00')",
                  shirt));
  const auto reader = begun(*database_);
  std::vector<OpenHold> holds;
  for (LedgerPlace after;;) {
    const auto page = reader->holds(after, 2);
    ASSERT_TRUE(page) << page.error().what;
    if (page->empty()) break;
    holds.insert(holds.end(), page->begin(), page->end());
    after = page->back().order;
  }
  ASSERT_EQ(holds.size(), 3U);
  EXPECT_EQ(holds[0].order, (LedgerPlace{shirt, "i1"}));
  EXPECT_EQ(holds[0].quantity, 2);
  ASSERT_TRUE(holds[0].entry && holds[0].expires_at);
  EXPECT_EQ(holds[0].entry->outcome, domain::Outcome::held);
  EXPECT_EQ(domain::hold_terms(holds[0].entry.value()),
            (domain::HoldTerms{.seconds = 1'000, .until = holds[0].expires_at}));
  EXPECT_EQ(holds[0].ending, "");
  EXPECT_EQ(holds[1].ending, "confirmed");
  EXPECT_FALSE(holds[2].entry);
}

TEST_P(Conformance, FindsOrdersWhoseHoldsWereLost) {
  migrate();
  const auto shirt = product(9);
  const auto sock = product(9);
  decide({holding(1, shirt, 2), holding(2, shirt, 3), holding(3, sock, 1), holding(4, sock, 1)});
  database_->execute(fmt::format("DELETE FROM inventory_hold WHERE product_id = {}", shirt));
  database_->execute("DELETE FROM inventory_hold WHERE identity = 'i3'");
  for (const char* identity : {"fi1", "ci3"}) {
    database_->execute(
        fmt::format("INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, "
                    "decided_at) VALUES ({}, '{}', '{}', 0, 0, '2026-11-23 03:00:00')",
                    identity[0] == 'f' ? shirt : sock, identity,
                    identity[0] == 'f' ? "order_rejected" : "cancelled"));
  }
  const auto part = begun(*database_)->ledger({}, 100);
  ASSERT_TRUE(part) << part.error().what;
  EXPECT_THAT(part->lost_holds, ElementsAre(LostHolds{shirt, 2, "i1"}));
}

TEST_P(Conformance, CountsHolds) {
  migrate();
  EXPECT_EQ(begun(*database_)->count_holds(), HoldCounts());
  const auto shirt = product(9);
  decide({holding(1, shirt, 2), holding(2, shirt, 3)});
  const auto early = begun(*database_)->count_holds();
  EXPECT_EQ(early, (HoldCounts{.open = 2}));
  database_->execute(
      "UPDATE inventory_hold SET expires_at = '2001-09-09 01:46:40.000000' WHERE identity = 'i1'");
  const auto late = begun(*database_)->count_holds();
  ASSERT_TRUE(late) << late.error().what;
  EXPECT_EQ(late->open, 2U);
  EXPECT_EQ(late->due, 1U);
  EXPECT_GT(late->overdue, std::chrono::hours(24 * 365 * 20));
}

std::vector<std::string> identities(const std::vector<StoredEntry>& entries) {
  std::vector<std::string> result;
  result.reserve(entries.size());
  for (const StoredEntry& entry : entries) result.push_back(entry.identity);
  return result;
}

TEST_P(Conformance, ReadsTheNewestEntriesOfAProductFirst) {
  migrate();
  const auto shirt = product(5);
  const auto sock = product(5);
  decide({order(1, shirt, 2)});
  decide({order(1, sock, 1), order("A-17", shirt, 9)});
  decide({holding(2, shirt, 3)});
  const std::vector<domain::Command> commands{
      domain::Cancellation{.id = domain::OrderId(2), .items = {{.product = shirt, .quantity = 3}}},
      domain::Adjustment{.id = domain::OrderId("count"),
                         .product = shirt,
                         .set_to = 10,
                         .expected = 3,
                         .reason = "shelf \x1b[31m <b>"}};
  ASSERT_TRUE(run(store_->execute(commands)));
  const auto reader = begun(*database_);
  const auto entries = value(reader->entries(shirt, {}, 100));
  EXPECT_THAT(identities(entries), ElementsAre("ascount", "ci2", "i2", "sA-17", "i1", "opening"));
  const StoredEntry& count = entries.at(0);
  EXPECT_EQ(count.outcome, "adjusted");
  EXPECT_EQ(count.quantity, 10);
  EXPECT_EQ(count.delta, 7);
  EXPECT_EQ(count.quantity_after, 10);
  EXPECT_EQ(count.reason, "shelf \x1b[31m <b>");
  EXPECT_EQ(count.terms, "set_to, expected 3");
  EXPECT_TRUE(count.decided_at);
  EXPECT_EQ(entries.at(2).outcome, "held");
  EXPECT_TRUE(entries.at(2).terms.value_or("").starts_with("hold 1000 until "));
  EXPECT_EQ(entries.at(3).delta, 0);
  EXPECT_EQ(entries.at(3).quantity_after, 3);
  EXPECT_FALSE(entries.at(3).reason);
  EXPECT_TRUE(value(reader->entries(sock + 1, {}, 100)).empty());
}

TEST_P(Conformance, ReadsEntriesPageByPageAndNoneTwiceThoughOthersAreWrittenMeanwhile) {
  migrate();
  const auto shirt = product(20);
  std::vector<domain::Order> orders;  // all at one moment; all after the twentieth are rejected
  for (int id = 10; id < 60; ++id) orders.push_back(order(id, shirt, 1));
  decide(orders);
  const auto whole = identities(value(begun(*database_)->entries(shirt, {}, 100)));
  ASSERT_EQ(whole.size(), 51U);
  EXPECT_EQ(whole.at(30), "i29");  // what changed the stock, in its order; before it the rejections
  EXPECT_EQ(whole.at(49), "i10");
  EXPECT_EQ(whole.at(50), "opening");
  const auto reader = database_->open_reader();
  std::vector<std::string> read;
  EntryPlace place;
  for (int id = 100;; ++id) {
    ASSERT_TRUE(reader->begin());
    const auto page = value(reader->entries(shirt, place, 7));
    reader->end();
    if (page.empty()) break;
    for (const auto& identity : identities(page)) read.push_back(identity);
    place = page.back().place;
    decide({order(id, shirt, 1)});
  }
  EXPECT_EQ(read, whole);
}

TEST_P(Conformance, ReadsEntriesThatWereEnteredByHand) {
  migrate();
  const auto shirt = product(5);
  const auto enter = [&](const std::string& identity, const std::string& time) {
    database_->execute(
        fmt::format("INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, "
                    "decided_at, reason) VALUES ({}, '{}', 'opening', 1, 0, '{}', '{}')",
                    shirt, identity, time, std::string(2'000, 'x')));
  };
  enter("correction 2", "2001-01-01 00:00:00");
  enter("correction 1", "2001-01-01 00:00:00.000000");
  enter(std::string(1'000, 'y'), "2000-01-01 00:00:00.000000");
  const auto reader = begun(*database_);
  std::vector<std::string> read;
  for (EntryPlace place;;) {
    const auto page = value(reader->entries(shirt, place, 1));
    if (page.empty()) break;
    read.push_back(page.front().identity);
    place = page.front().place;
    if (read.size() == 4) {
      EXPECT_EQ(page.front().reason->size(), std::size_t{kTextShown});
      EXPECT_FALSE(page.front().quantity_after);
    }
  }
  ASSERT_EQ(read.size(), 4U);
  EXPECT_EQ(read.at(0), "opening");
  EXPECT_THAT((std::vector{read.at(1), read.at(2)}),
              testing::UnorderedElementsAre("correction 1", "correction 2"));
  EXPECT_EQ(read.at(3), std::string(std::size_t{kIdentityShown}, 'y'));
}

TEST_P(Conformance, FindsAnOrderWhateverTheTypeOfItsIdWithAllOfItsLines) {
  migrate();
  const auto shirt = product(50);
  const auto sock = product(50);
  domain::Order first = order("42", shirt, 3);
  first.line = domain::OrderId(1);
  domain::Order second = order(42, shirt, 4);
  second.line = domain::OrderId("ü");
  domain::Order other = order("x42", shirt, 5);  // its identity ends like that of the second
  other.line = domain::OrderId(1);
  const domain::Order elsewhere = order("42", sock, 6);
  decide({order(42, shirt, 1), holding(7, shirt, 1), first, second, other, elsewhere,
          order("s42", shirt, 1), order("i42", shirt, 1)});
  const std::vector<domain::Command> commands{
      domain::Cancellation{.id = domain::OrderId("42"),
                           .items = {{.product = shirt, .quantity = 3}},
                           .line = first.line}};
  ASSERT_TRUE(run(store_->execute(commands)));
  const auto reader = begun(*database_);
  const std::vector both{domain::OrderId(42), domain::OrderId("42")};
  EXPECT_THAT(identities(value(reader->entries_of_order({.product = shirt, .ids = both}))),
              testing::UnorderedElementsAre("i42", "l2:i1s42",
                                            "l3:sü"
                                            "i42",
                                            "cl2:i1s42"));
  EXPECT_THAT(identities(value(reader->entries_of_order(
                  {.product = shirt, .ids = both, .lines = {domain::OrderId(1)}}))),
              ElementsAre("cl2:i1s42", "l2:i1s42"));
  EXPECT_THAT(
      identities(value(reader->entries_of_order({.product = shirt, .ids = {domain::OrderId(7)}}))),
      ElementsAre("i7"));
  EXPECT_THAT(identities(value(
                  reader->entries_of_order({.product = shirt, .ids = {domain::OrderId("%_'\"")}}))),
              IsEmpty());
}

TEST_P(Conformance, FindsTheLinesOfAnOrderAmongManyLinesAndAmongWhatWasEnteredByHand) {
  migrate();
  const auto shirt = product(1'000);
  const auto line = [&](const std::string& id, domain::OrderId line_id) {
    domain::Order one = order(id, shirt, 1);
    one.line = std::move(line_id);
    return one;
  };
  const auto search = [&] {
    const OrderSearch ours{.product = shirt, .ids = {domain::OrderId("ours")}};
    return identities(value(begun(*database_)->entries_of_order(ours)));
  };
  std::vector<domain::Order> orders;
  for (int id = 1; id <= 3; ++id) {
    orders.push_back(line("ours", domain::OrderId(id)));
    orders.push_back(line("another " + std::to_string(id), domain::OrderId(id)));
    orders.push_back(line("zz" + std::to_string(id), domain::OrderId(id)));
  }
  decide(orders);
  for (const char* identity : {"l", "l1:zzz", "l2:s\xC3\xA9", "l99:", "lump 1", "l2:i9sours "}) {
    database_->execute(fmt::format(
        "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
        "VALUES ({}, '{}', 'opening', 0, 0, '2026-11-23 03:00:00')",
        shirt, identity));
  }
  EXPECT_THAT(search(), testing::UnorderedElementsAre("l2:i1sours", "l2:i2sours", "l2:i3sours"));
  orders.clear();
  for (int id = 0; id <= kLineIdsTried; ++id) {
    orders.push_back(line("others", domain::OrderId("line " + std::to_string(id))));
  }
  orders.push_back(line("ours", domain::OrderId("last")));
  decide(orders);
  EXPECT_THAT(search(), testing::UnorderedElementsAre("l2:i1sours", "l2:i2sours", "l2:i3sours",
                                                      "l5:slastsours"));
}

TEST_P(Conformance, ReadsAgainAndAgainAndSeesWhatWasDecidedMeanwhile) {
  migrate();
  const auto shirt = product(5);
  const auto reader = begun(*database_);
  for (int id = 1; id <= 3; ++id) {
    EXPECT_EQ(value(reader->entries(shirt, {}, 100)).size(), static_cast<std::size_t>(id));
    reader->end();
    decide({order(id, shirt, 1)});
    ASSERT_TRUE(reader->begin());
  }
  reader->end();
  reader->end();  // as good as once
}

TEST_P(Conformance, ReadsTheDatabaseAsItWasAtOneMomentBesideAStoreThatDecides) {
  migrate();
  const auto shirt = product(5);
  const auto reader = begun(*database_);
  EXPECT_EQ(decide({order(1, shirt, 2)}), OrderDecisions{kAccepted});  // nobody waits for a reader
  EXPECT_THAT(value(reader->stock(kFirst, 10)), ElementsAre(Amount{shirt, 5}));
  EXPECT_EQ(decide({order(2, shirt, 2)}), OrderDecisions{kAccepted});
  EXPECT_THAT(reader->ledger({}, 10)->sums, ElementsAre(Amount{shirt, 5}));
  ASSERT_TRUE(reader->begin());
  EXPECT_THAT(value(reader->stock(kFirst, 10)), ElementsAre(Amount{shirt, 1}));
}

TEST_P(Conformance, ReadsWhatIsLeftWhenTheStoreIsClosed) {
  migrate();
  const auto shirt = product(5);
  store_.reset();
  EXPECT_THAT(value(begun(*database_)->stock(kFirst, 10)), ElementsAre(Amount{shirt, 5}));
}

TEST_P(Conformance, SaysToMigrateInsteadOfReadingWhereNobodyHasMigrated) {
  const auto begun = database_->open_reader()->begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().fault, Fault::unavailable);

  database_->make_python_table();
  const auto without_ledger = database_->open_reader()->begin();
  ASSERT_FALSE(without_ledger);
  EXPECT_THAT(without_ledger.error().what,
              AllOf(HasSubstr("has version 0"), HasSubstr("inventory-service migrate")));
}

TEST_P(Conformance, SaysToMigrateInsteadOfReadingOlderTables) {
  migrate();
  database_->execute("DELETE FROM inventory_migration WHERE abs(version) > 1");
  const auto reader = database_->open_reader();
  const auto begun = reader->begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().fault, Fault::unavailable);
  EXPECT_THAT(begun.error().what,
              AllOf(HasSubstr("has version 1"), HasSubstr("inventory-service migrate")));
  EXPECT_FALSE(reader->begin()) << "on a connection that is kept";
}

}  // namespace
}  // namespace inventory::store::conformance
