// Random work on a store and on the domain's rules alone must come to the same.

#include <random>

#include <fmt/format.h>

#include "domain/testing/memory_tables.h"
#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

constexpr unsigned kSeeds = 12;
constexpr int kSteps = 40;

// Model: what the store must hold, kept in memory and decided by the same rules.
struct Model {
  domain::MemoryTables tables;

  OrderDecisions decide(std::span<const domain::Order> orders) {
    return tables.decide_orders(orders);
  }

  // Ids are the store's to choose: the model takes those of the items that were new.
  ItemDecisions add(std::span<const domain::NewItem> requests, const ItemDecisions& by_store) {
    std::vector<domain::ProductId> ids;
    for (const auto& decision : by_store) {
      if (!decision.replayed && !decision.conflicts_with) {
        ids.push_back(decision.item.id);
      }
    }
    ids.resize(requests.size());
    ItemDecisions decisions;
    const std::vector<domain::Command> commands(requests.begin(), requests.end());
    for (auto& decision : tables.decide(commands, &ids)) {
      decisions.push_back(std::get<domain::ItemDecision>(std::move(decision)));
    }
    return decisions;
  }
};

class RandomWork {
 public:
  explicit RandomWork(unsigned seed) : random_(seed) {}

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  std::vector<domain::Order> orders(const Model& model) {
    std::vector<domain::ProductId> products{9'000'000'000};
    for (const auto& [product, stock] : model.tables.stock) {
      products.push_back(product);
    }
    std::vector<domain::Order> batch;
    for (unsigned i = 0, size = below(60); i < size; ++i) {
      const auto id = below(300);
      const auto product = products[below(static_cast<unsigned>(products.size()))];
      const auto quantity = id % 7 == 0 ? below(4) + 1 : id % 4 + 1;
      batch.push_back(id % 2 == 0 ? order(id, product, quantity)
                                  : order(fmt::format("order {}", id), product, quantity));
      if (below(4) == 0) {
        batch.back().line = domain::OrderId(below(3));
      }
    }
    return batch;
  }

  std::vector<domain::NewItem> items() {
    std::vector<domain::NewItem> batch;
    for (unsigned i = 0, size = below(4); i < size; ++i) {
      const auto id = below(40);
      batch.push_back({id % 5 == 0 ? std::nullopt : std::optional(fmt::format("message {}", id)),
                       below(60), id % 3 == 0 ? std::nullopt : std::optional<std::string>("sock"),
                       domain::Timestamp(std::chrono::microseconds(random_() % (1UL << 50)))});
    }
    return batch;
  }

 private:
  std::mt19937_64 random_;
};

TEST_P(Conformance, DecidesRandomWorkAsTheDomainsRulesDo) {
  migrate();
  Model model;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomWork work(seed);
    for (int step = 0; step < kSteps; ++step) {
      if (work.below(4) == 0) {
        const auto items = work.items();
        const auto added = add(items);
        ASSERT_EQ(added, model.add(items, added));
      } else {
        const auto orders = work.orders(model);
        ASSERT_EQ(decide(orders), model.decide(orders));
      }
      if (work.below(20) == 0) {
        reopen();
      }
    }
    for (const auto& [product, stock] : model.tables.stock) {
      EXPECT_EQ(database_->on_hand(product), stock.quantity) << "product " << product;
      EXPECT_EQ(database_->ledger_sum(product), stock.quantity) << "product " << product;
    }
  }
}

}  // namespace
}  // namespace inventory::store::conformance
