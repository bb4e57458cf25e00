// Random requests of all kinds over few products, decided by a store in random batches, and by a
// naive model one after the other: they must agree in every decision, and in the stock.

#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using domain::Adjustment;
using domain::AdjustmentDecision;
using domain::Basket;
using domain::BasketDecision;
using domain::Cancellation;
using domain::CancellationDecision;
using domain::Command;
using domain::Confirmation;
using domain::ConfirmationDecision;
using domain::Decision;
using domain::Order;
using domain::OrderDecision;
using domain::OrderItem;
using domain::Outcome;
using domain::ProductId;
using domain::Quantity;

// NaiveShop: what docs/contract.md says, as plainly as it can be written down. It knows nothing of
// ledgers and identities.
class NaiveShop {
 public:
  explicit NaiveShop(std::map<ProductId, Quantity> stock) : stock_(std::move(stock)) {}

  const std::map<ProductId, Quantity>& stock() const { return stock_; }

  Decision decide(const Command& command) {
    return std::visit([&](const auto& one) -> Decision { return one_of(one); }, command);
  }

 private:
  struct Asked {  // an order of one product
    Outcome outcome;
    Quantity quantity;
    std::optional<Quantity> available;
    std::optional<std::int64_t> hold = std::nullopt;
    std::optional<Quantity> given_back = std::nullopt;   // once it was cancelled
    std::optional<Outcome> confirmation = std::nullopt;  // what that was answered

    bool was_taken() const { return outcome == Outcome::accepted || outcome == Outcome::held; }
  };
  struct Adjusted {
    Adjustment what;
    AdjustmentDecision decision;
  };

  std::optional<Quantity> available(ProductId product) const {
    const auto found = stock_.find(product);
    return found == stock_.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<ProductId, Asked>& products_of_order(const domain::OrderId& id,
                                                const std::optional<domain::OrderId>& line) {
    return orders_[id.ledger_identity() + " line " + (line ? line->ledger_identity() : "")];
  }

  OrderDecision one_of(const Order& order) {
    auto& asked = products_of_order(order.id, order.line);
    if (const auto found = asked.find(order.product); found != asked.end()) {
      const Asked& earlier = found->second;
      if (earlier.outcome != Outcome::cancelled_first &&
          (earlier.quantity != order.quantity || earlier.hold != order.hold_seconds)) {
        return {.outcome = earlier.outcome,
                .conflicts_with = earlier.quantity,
                .hold_of_conflict = earlier.hold};
      }
      return {.outcome = earlier.outcome, .replayed = true};
    }
    const auto there = available(order.product);
    Outcome outcome = order.hold_seconds ? Outcome::held : Outcome::accepted;
    if (!there) {
      outcome = Outcome::product_not_found;
    } else if (*there < order.quantity) {
      outcome = Outcome::not_enough_stock;
    } else {
      stock_[order.product] -= order.quantity;
    }
    asked[order.product] = {outcome, order.quantity, there, order.hold_seconds};
    return {.outcome = outcome};
  }

  BasketDecision one_of(const Basket& basket) {
    auto& asked = products_of_order(basket.id, basket.line);
    std::size_t known = 0;
    std::size_t cancelled = 0;
    for (const auto& [product, quantity] : basket.items) {
      const auto found = asked.find(product);
      if (found == asked.end()) continue;
      ++known;
      if (found->second.outcome == Outcome::cancelled_first) {
        ++cancelled;
      } else if (found->second.quantity != quantity || found->second.hold != basket.hold_seconds) {
        return {.outcome = Outcome::conflict,
                .conflicts_with = OrderItem{product, found->second.quantity},
                .hold_of_conflict = found->second.hold};
      }
    }
    if (known == basket.items.size()) return as_then(basket, asked, true);
    if (known > cancelled) return {.outcome = Outcome::conflict};
    bool is_possible = cancelled == 0;
    for (const auto& [product, quantity] : basket.items) {
      is_possible = is_possible && available(product).value_or(-1) >= quantity;
    }
    for (const auto& [product, quantity] : basket.items) {
      if (asked.contains(product)) continue;
      const auto there = available(product);
      Outcome outcome = Outcome::other_item;
      if (is_possible) {
        outcome = basket.hold_seconds ? Outcome::held : Outcome::accepted;
        stock_[product] -= quantity;
      } else if (cancelled == 0 && !there) {
        outcome = Outcome::product_not_found;
      } else if (cancelled == 0 && *there < quantity) {
        outcome = Outcome::not_enough_stock;
      }
      asked[product] = {outcome, quantity, there, basket.hold_seconds};
    }
    return as_then(basket, asked, false);
  }

  static BasketDecision as_then(const Basket& basket, const std::map<ProductId, Asked>& asked,
                                bool replayed) {
    std::set<Outcome> outcomes;
    BasketDecision decision{.outcome = basket.hold_seconds ? Outcome::held : Outcome::accepted,
                            .replayed = replayed};
    for (const auto& item : basket.items) {
      const Asked& one = asked.at(item.product);
      outcomes.insert(one.outcome);
      if (!one.was_taken() && one.outcome != Outcome::other_item) {
        decision.in_the_way.push_back({item.product, one.available});
      }
    }
    for (const auto outcome : {Outcome::other_item, Outcome::not_enough_stock,
                               Outcome::product_not_found, Outcome::cancelled_first}) {
      if (outcomes.contains(outcome)) decision.outcome = outcome;
    }
    return decision;
  }

  CancellationDecision one_of(const Cancellation& cancellation) {
    auto& asked = products_of_order(cancellation.id, cancellation.line);
    for (const auto& [product, quantity] : cancellation.items) {
      const auto found = asked.find(product);
      if (found != asked.end() && found->second.outcome != Outcome::cancelled_first && quantity &&
          *quantity != found->second.quantity) {
        return {.conflicts_with = OrderItem{product, found->second.quantity}};
      }
    }
    CancellationDecision decision{.replayed = true};
    for (const auto& item : cancellation.items) {
      const ProductId product = item.product;
      const auto [found, is_new] =
          asked.try_emplace(product, Asked{.outcome = Outcome::cancelled_first,
                                           .quantity = 0,
                                           .available = available(product),
                                           .given_back = Quantity{0}});
      Asked& one = found->second;
      if (!one.given_back) {
        one.given_back = one.was_taken() ? one.quantity : 0;
        if (*one.given_back > 0) stock_[product] += *one.given_back;
        decision.replayed = false;
      } else if (is_new) {
        decision.replayed = false;
      }
      decision.items.push_back({product, *one.given_back});
    }
    return decision;
  }

  ConfirmationDecision one_of(const Confirmation& confirmation) {
    auto& asked = products_of_order(confirmation.id, confirmation.line);
    std::vector<Asked*> items;
    for (const auto& [product, quantity] : confirmation.items) {
      const auto found = asked.find(product);
      items.push_back(found == asked.end() ? nullptr : &found->second);
      if (items.back() != nullptr && items.back()->outcome != Outcome::cancelled_first &&
          quantity && *quantity != items.back()->quantity) {
        return {.outcome = Outcome::conflict,
                .conflicts_with = OrderItem{product, items.back()->quantity}};
      }
    }
    const auto was_confirmed = [](const Asked* one) {
      return one != nullptr && one->confirmation == Outcome::confirmed;
    };
    if (std::ranges::all_of(items, was_confirmed)) {
      return {.outcome = Outcome::confirmed, .replayed = true};
    }
    for (const Asked* one : items) {
      if (one != nullptr && one->confirmation && one->confirmation != Outcome::confirmed) {
        return {.outcome = *one->confirmation, .replayed = true};
      }
    }
    if (std::ranges::find(items, nullptr) != items.end()) {
      return {.outcome = Outcome::order_not_found};
    }
    const auto alone = [](const Asked* one) {
      if (one->given_back) return Outcome::order_cancelled;
      return one->was_taken() ? Outcome::confirmed : Outcome::order_rejected;
    };
    Outcome outcome = Outcome::confirmed;
    for (const Asked* one : items) {
      if (outcome == Outcome::confirmed || alone(one) == Outcome::order_cancelled) {
        outcome = alone(one);
      }
    }
    for (Asked* one : items) {
      if (!one->confirmation && alone(one) == outcome) one->confirmation = outcome;
    }
    return {.outcome = outcome};
  }

  // In this test no hold is ever over.
  static domain::ExpiryDecision one_of(const domain::Expiry&) {
    return {.outcome = Outcome::hold_ended};
  }

  static domain::ItemDecision one_of(const domain::NewItem&) {
    throw std::logic_error("ids are the store's to choose: see conformance_random_test.cpp");
  }

  AdjustmentDecision one_of(const Adjustment& asked) {
    const auto key = fmt::format("{} {}", asked.id.ledger_identity(), asked.product);
    if (const auto found = adjustments_.find(key); found != adjustments_.end()) {
      const auto& [what, decision] = found->second;
      if (what.change != asked.change || what.set_to != asked.set_to ||
          what.expected != asked.expected) {
        return {.outcome = Outcome::conflict};
      }
      AdjustmentDecision again = decision;
      again.replayed = true;
      return again;
    }
    AdjustmentDecision decision{.outcome = Outcome::product_not_found};
    if (const auto there = available(asked.product)) {
      decision = {.outcome = Outcome::adjusted, .quantity = there};
      const Quantity after = asked.set_to ? *asked.set_to : *there + *asked.change;
      if (asked.expected && *asked.expected != *there) {
        decision.outcome = Outcome::inventory_changed;
      } else if (after < 0) {
        decision.outcome = Outcome::not_enough_stock;
      } else {
        stock_[asked.product] = after;
        decision.quantity = after;
      }
    }
    adjustments_.emplace(key, Adjusted{asked, decision});
    return decision;
  }

  std::map<ProductId, Quantity> stock_;
  std::map<std::string, std::map<ProductId, Asked>> orders_;  // by order and line
  std::map<std::string, Adjusted> adjustments_;
};

class RandomRequests {
 public:
  RandomRequests(unsigned seed, std::vector<ProductId> products)
      : random_(seed), products_(std::move(products)) {}

  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }

  Command one() {
    switch (below(8)) {
      case 0:
      case 1:
        return Order{.id = id(),
                     .product = product(),
                     .quantity = below(3) + 1,
                     .line = line(),
                     .hold_seconds = hold()};
      case 2:
        return Basket{.id = id(), .items = items(), .line = line(), .hold_seconds = hold()};
      case 3:
      case 4:
        return about_an_order<Cancellation>();
      case 5:
        return about_an_order<Confirmation>();
      case 6:
        return domain::Expiry{product(), id().ledger_identity()};
      default:
        return adjustment();
    }
  }

 private:
  // Few, so that requests meet each other.
  domain::OrderId id() {
    const auto number = below(60);
    return number % 2 == 0 ? domain::OrderId(number) : domain::OrderId(fmt::format("{}", number));
  }
  std::optional<domain::OrderId> line() {
    return below(6) == 0 ? std::optional(domain::OrderId(1)) : std::nullopt;
  }
  ProductId product() {
    return products_[static_cast<std::size_t>(below(static_cast<std::int64_t>(products_.size())))];
  }
  std::vector<OrderItem> items() {
    std::map<ProductId, Quantity> items;
    for (auto count = below(3) + 1; count > 0; --count) items[product()] = below(2) + 1;
    std::vector<OrderItem> result;
    result.reserve(items.size());
    for (const auto& [one, quantity] : items) result.push_back({one, quantity});
    std::ranges::shuffle(result, random_);
    return result;
  }
  std::optional<std::int64_t> hold() {
    return below(3) == 0 ? std::optional(3'600 + below(2)) : std::nullopt;
  }
  template <class Kind>
  Kind about_an_order() {
    Kind result{.id = id(), .items = {}, .line = line()};
    for (const auto& [one, quantity] : items()) {
      result.items.push_back({one, below(3) == 0 ? std::optional(quantity) : std::nullopt});
    }
    return result;
  }
  Adjustment adjustment() {
    Adjustment result{.id = id(), .product = product()};
    if (below(2) == 0) {
      result.change = below(2) == 0 ? below(6) + 1 : -(below(6) + 1);
    } else {
      result.set_to = below(10);
      if (below(2) == 0) result.expected = below(8);
    }
    return result;
  }

  std::mt19937_64 random_;
  std::vector<ProductId> products_;
};

// The model has no clock, nor versions. Until when an order is held is told of those that are, and
// the product's version of a hold that was given back.
Decision without_time(Decision decision) {
  const auto take = [](auto& one) {
    EXPECT_EQ(one.held_until.has_value(), one.outcome == Outcome::held && !one.conflicts_with);
    one.held_until.reset();
  };
  if (auto* order = std::get_if<OrderDecision>(&decision)) take(*order);
  if (auto* basket = std::get_if<BasketDecision>(&decision)) take(*basket);
  if (auto* expiry = std::get_if<domain::ExpiryDecision>(&decision)) {
    EXPECT_EQ(expiry->version.has_value(), expiry->outcome == Outcome::expired);
    expiry->version.reset();
  }
  return decision;
}

TEST_P(Conformance, DecidesRequestsOfAllKindsAsANaiveModelDoesOneAfterTheOther) {
  migrate();
  for (unsigned seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    // Order ids are used again from seed to seed, for other products.
    std::map<ProductId, Quantity> stock;
    for (const Quantity quantity : {12, 3, 0}) stock[product(quantity)] = quantity;
    std::vector<ProductId> products{8'000'000'000 + seed};
    for (const auto& [id, quantity] : stock) products.push_back(id);
    NaiveShop model(stock);
    RandomRequests random(seed, products);
    for (int batch = 0; batch < 40; ++batch) {
      std::vector<Command> commands;
      for (auto size = random.below(25) + 1; size > 0; --size) commands.push_back(random.one());
      const auto locks = random.below(2) == 0 ? Locks::wait : Locks::skip;
      const auto decided = run(store_->execute(commands, locks));
      ASSERT_TRUE(decided) << decided.error().what;
      for (std::size_t i = 0; i < commands.size(); ++i) {
        ASSERT_EQ(without_time((*decided)[i]), model.decide(commands[i]))
            << "batch " << batch << ", request " << i << " of kind " << commands[i].index();
      }
      if (random.below(15) == 0) reopen();
    }
    for (const auto& [id, quantity] : model.stock()) {
      EXPECT_EQ(database_->on_hand(id), quantity) << "product " << id;
      EXPECT_EQ(database_->ledger_sum(id), quantity) << "product " << id;
    }
  }
}

// As a program of the next version may have written it.
TEST_P(Conformance, TakesAWordThatItDoesNotKnowForAnErrorOfThatProduct) {
  migrate();
  const auto shirt = product(10);
  database_->execute(fmt::format(
      "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
      "VALUES ({}, 'i1', 'teleported', 1, 0, '2026-01-01 00:00:00')",
      shirt));
  const std::vector<Command> commands{order(1, shirt, 1)};
  const auto decided = run(store_->execute(commands));
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::failing);
  EXPECT_EQ(decided.error().products, std::vector{shirt});
  EXPECT_THAT(decided.error().what, testing::HasSubstr("outcome is 'teleported'"));
  EXPECT_EQ(decide({order(2, shirt, 1)}), OrderDecisions{kAccepted});
}

// There is nothing to give back to; the order's other items are given back.
TEST_P(Conformance, CancelsAnOrderWhoseProductWasDeleted) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  const std::vector<Command> basket{
      Basket{.id = domain::OrderId("A"), .items = {{shirt, 4}, {sock, 3}}}};
  ASSERT_TRUE(run(store_->execute(basket)));
  database_->execute(fmt::format("DELETE FROM inventory WHERE id = {}", shirt));
  const std::vector<Command> cancellation{Cancellation{
      .id = domain::OrderId("A"), .items = {{shirt, std::nullopt}, {sock, std::nullopt}}}};
  for (const bool is_replayed : {false, true}) {
    const auto decided = run(store_->execute(cancellation));
    ASSERT_TRUE(decided) << decided.error().what;
    EXPECT_EQ(std::get<CancellationDecision>(decided->front()),
              (CancellationDecision{.items = {{shirt, 0}, {sock, 3}}, .replayed = is_replayed}));
  }
  EXPECT_EQ(database_->on_hand(sock), 10);
}

// By the database's clock: a second passes.
TEST_P(Conformance, FindsHoldsThatAreOverInTheirOrderAndGivesThemBackOnce) {
  migrate();
  const auto shirt = product(10);
  const auto hold = [&](int id, std::int64_t seconds) {
    return Order{
        .id = domain::OrderId(id), .product = shirt, .quantity = 1, .hold_seconds = seconds};
  };
  const std::vector<Command> orders{hold(1, 1), hold(2, 1), hold(3, 3'600), hold(4, 1)};
  ASSERT_TRUE(run(store_->execute(orders)));
  ASSERT_TRUE(run(store_->execute(std::vector<Command>{
      Confirmation{.id = domain::OrderId(4), .items = {{shirt, std::nullopt}}}})));
  const auto due = [&](std::optional<domain::Hold> after, std::size_t count) {
    const auto found = run(store_->due_holds(std::move(after), count));
    EXPECT_TRUE(found) << found.error().what;
    return found.value_or(std::vector<domain::Hold>());
  };
  std::vector<domain::Hold> found;
  while (found.size() < 2) found = due(std::nullopt, 10);
  EXPECT_EQ(found[0].key, (domain::LedgerKey{shirt, "i1"}));
  EXPECT_EQ(found[1].key, (domain::LedgerKey{shirt, "i2"}));
  EXPECT_EQ(found[0].quantity, 1);
  EXPECT_EQ(due(std::nullopt, 1), std::vector{found[0]});
  EXPECT_EQ(due(found[0], 10), std::vector{found[1]});
  EXPECT_TRUE(due(found[1], 10).empty());
  reopen();
  const std::vector<Command> expiries{
      domain::Expiry{shirt, "i1"},
      domain::Expiry{shirt, "i1"},
      domain::Expiry{shirt, "i3"},
      domain::Expiry{shirt, "i4"},
      domain::Expiry{8'000'000'000, "i1"},
      Confirmation{.id = domain::OrderId(2), .items = {{shirt, std::nullopt}}}};
  const auto decided = run(store_->execute(expiries));
  ASSERT_TRUE(decided) << decided.error().what;
  const auto outcome = [&](std::size_t at) { return domain::outcome_of((*decided)[at]); };
  EXPECT_EQ(outcome(0), Outcome::expired);
  EXPECT_TRUE(domain::is_replayed((*decided)[1]));
  EXPECT_EQ(outcome(2), Outcome::hold_ended) << "not over";
  EXPECT_EQ(outcome(3), Outcome::hold_ended) << "confirmed";
  EXPECT_EQ(outcome(4), Outcome::hold_ended) << "never seen";
  EXPECT_EQ(outcome(5), Outcome::hold_expired) << "over, though not given back";
  EXPECT_EQ(due(std::nullopt, 10), std::vector{found[1]});
  EXPECT_EQ(database_->on_hand(shirt), 7);
  EXPECT_EQ(database_->ledger_sum(shirt), 7);
}

TEST_P(Conformance, KeepsWhatAnAdjustmentSaysOfItself) {
  migrate();
  const auto shirt = product(10);
  const std::vector<Command> commands{Adjustment{
      .id = domain::OrderId("count"), .product = shirt, .set_to = 7, .reason = "'a \\ count\""}};
  ASSERT_TRUE(run(store_->execute(commands)));
  database_->execute(
      "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
      "SELECT product_id, 'ai1', outcome, quantity, 0, decided_at FROM inventory_ledger "
      "WHERE identity = 'ascount' AND reason = '''a \\ count\"' AND quantity_after = 7 AND "
      "version = 1 AND terms = 'set_to'");
  EXPECT_EQ(database_->ledger_sum(shirt), 7);
  const std::vector<Command> copied{
      Adjustment{.id = domain::OrderId(1), .product = shirt, .set_to = 7, .reason = {}}};
  const auto decided = run(store_->execute(copied));
  ASSERT_TRUE(decided) << decided.error().what;
  // It is there, and without terms it is another one.
  EXPECT_EQ(domain::outcome_of(decided->front()), Outcome::conflict);
}

TEST_P(Conformance, TakesAChosenIdAndGoesOnBeyondIt) {
  migrate();
  domain::NewItem chosen{"m1", 5, "a shirt", {}};
  chosen.chosen_id = 40;
  domain::NewItem taken = chosen;
  taken.identity = "m2";
  EXPECT_EQ(add({chosen}).at(0).item.id, 40);
  EXPECT_TRUE(add({taken}).at(0).is_taken);
  reopen();
  const auto again = add({taken, chosen});
  EXPECT_TRUE(again.at(0).is_taken);
  EXPECT_TRUE(again.at(0).replayed);
  EXPECT_EQ(again.at(1).item.id, 40);
  EXPECT_TRUE(again.at(1).replayed);
  EXPECT_GT(product(1), 40);
  EXPECT_EQ(database_->ledger_sum(40), 5);
}

}  // namespace
}  // namespace inventory::store::conformance
