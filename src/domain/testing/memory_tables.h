#pragma once

// MemoryTables: a store's tables in memory, for tests; decides by the domain's rules.

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "domain/command.h"

namespace inventory::domain {

struct MemoryTables {
  std::map<ProductId, Stock> stock = {};
  std::map<LedgerKey, LedgerEntry> ledger = {};
  std::map<std::string, ItemAnswer> item_requests = {};
  std::map<LedgerKey, Hold> holds = {};
  Timestamp now = {};
  ProductId last_id = 0;

  std::vector<Decision> decide(std::span<const Command> commands) {
    return decide(commands, nullptr);
  }

  // Uses the caller's ids for items, if it has some.
  std::vector<Decision> decide(std::span<const Command> commands,
                               const std::vector<ProductId>* fresh_ids,
                               std::vector<StockNews>* news = nullptr) {
    const Needs needs = needs_of(commands);
    Books books(needs);
    read(needs, books);
    std::vector<ProductId> ids;
    if (fresh_ids != nullptr) ids = *fresh_ids;
    last_id = std::max(last_id, needs.ids_beyond);
    while (fresh_ids == nullptr && ids.size() < needs.fresh_ids) ids.push_back(++last_id);
    books.found_fresh(std::move(ids));
    books.found_now(now);
    auto decisions = decide_all(commands, books, news);
    write(books.take_changes());
    return decisions;
  }

  // A batch of one kind.
  template <class DecisionOfKind, class Kind>
  std::vector<DecisionOfKind> decide_kind(std::span<const Kind> requests) {
    std::vector<DecisionOfKind> result;
    for (auto& decision : decide(std::vector<Command>(requests.begin(), requests.end()))) {
      result.push_back(std::get<DecisionOfKind>(std::move(decision)));
    }
    return result;
  }

  std::vector<OrderDecision> decide_orders(std::span<const Order> orders) {
    return decide_kind<OrderDecision>(orders);
  }

  void read(const Needs& needs, Books& books) const {
    for (const ProductId product : needs.products) {
      if (const auto found = stock.find(product); found != stock.end()) {
        books.found(product, found->second);
      }
    }
    for (std::size_t at = 0; at < needs.entries.size(); ++at) {
      if (const auto found = ledger.find(needs.entries[at]); found != ledger.end()) {
        books.found(at, found->second);
      }
    }
    for (const std::string& identity : needs.item_requests) {
      if (const auto found = item_requests.find(identity); found != item_requests.end()) {
        books.found(found->second);
      }
    }
  }

  void write(const Changes& changes) {
    for (const auto& [product, left] : changes.stock) stock[product] = left;
    for (const auto& entry : changes.entries) ledger.emplace(entry.key, entry);
    for (const auto& added : changes.items) stock.emplace(added.item.id, added.stock);
    for (const auto& answer : changes.item_requests) {
      item_requests.emplace(answer.identity, answer);
    }
    for (const auto& key : changes.closed) holds.erase(key);
    for (const auto& hold : changes.opened) holds.emplace(hold.key, hold);
  }
};

}  // namespace inventory::domain
