#include "domain/books.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace inventory::domain {
namespace {

[[noreturn]] void broken(const char* invariant, ProductId product, std::string_view identity) {
  std::fprintf(stderr, "inventory: %s: product %lld, identity %.*s\n", invariant,
               static_cast<long long>(product), static_cast<int>(identity.size()), identity.data());
  std::abort();
}

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
}

}  // namespace

void Needs::sort() {
  sort_unique(products);
  sort_unique(entries);
  sort_unique(item_requests);
}

void Needs::add_order_entries(ProductId product, const std::string& identity) {
  entries.emplace_back(product, identity);
  entries.emplace_back(product, cancelled_identity(identity));
  entries.emplace_back(product, confirmed_identity(identity));
  entries.emplace_back(product, expired_identity(identity));
}

Books::Books(const Needs& needs)
    : needs_(needs),
      stock_(needs.products.size()),
      entries_(needs.entries.size()),
      answers_(needs.item_requests.size()) {}

std::size_t Books::place_of(ProductId product) const {
  const auto& named = needs_.products;
  const auto found = std::ranges::lower_bound(named, product);
  return found == named.end() || *found != product
             ? named.size()
             : static_cast<std::size_t>(found - named.begin());
}

std::size_t Books::place_of(ProductId product, std::string_view identity) const {
  const auto& named = needs_.entries;
  const auto found = std::ranges::partition_point(named, [&](const LedgerKey& key) {
    return key.first != product ? key.first < product : std::string_view(key.second) < identity;
  });
  return found == named.end() || found->first != product || found->second != identity
             ? named.size()
             : static_cast<std::size_t>(found - named.begin());
}

std::size_t Books::place_of(std::string_view identity) const {
  const auto& named = needs_.item_requests;
  const auto found = std::ranges::partition_point(
      named, [&](const std::string& one) { return std::string_view(one) < identity; });
  return found == named.end() || *found != identity
             ? named.size()
             : static_cast<std::size_t>(found - named.begin());
}

void Books::found(ProductId product, Stock stock) { stock_.at(place_of(product)).stock = stock; }

void Books::found(std::size_t at, LedgerEntry entry) {
  entry.key = needs_.entries.at(at);
  entries_[at].entry = std::move(entry);
}

void Books::found(ItemAnswer answer) {
  auto& slot = answers_.at(place_of(answer.identity));
  slot.answer = std::move(answer);
}

const Stock* Books::stock(ProductId product) const {
  const auto& slot = stock_.at(place_of(product));
  return slot.stock ? &*slot.stock : nullptr;
}

const LedgerEntry* Books::entry(ProductId product, std::string_view identity) const {
  const auto& slot = entries_.at(place_of(product, identity));
  return slot.entry ? &*slot.entry : nullptr;
}

const ItemAnswer* Books::item_request(std::string_view identity) const {
  const auto& slot = answers_.at(place_of(identity));
  return slot.answer ? &*slot.answer : nullptr;
}

const LedgerEntry& Books::post(LedgerEntry entry) {
  const auto& [product, identity] = entry.key;
  const std::size_t at = place_of(product, identity);
  if (at == entries_.size()) broken("an entry was not named", product, identity);
  if (entries_[at].entry) broken("an identity is decided twice", product, identity);
  StockSlot& slot = stock_.at(place_of(product));
  if (slot.stock) {
    Quantity after = 0;
    if (__builtin_add_overflow(slot.stock->quantity, entry.delta, &after) || after < 0 ||
        after > kQuantityMax) {
      broken("stock would fall below zero or beyond 2^53-1", product, identity);
    }
    if (entry.delta != 0) {
      slot.stock->quantity = after;
      if (slot.stock->version < std::numeric_limits<std::int64_t>::max()) ++slot.stock->version;
      slot.is_changed = true;
    }
    entry.quantity_after = after;
    entry.version = slot.stock->version;
  } else if (entry.delta != 0) {
    broken("stock of a product that does not exist", product, identity);
  }
  entries_[at].is_new = true;
  return entries_[at].entry.emplace(std::move(entry));
}

Timestamp Books::now() const {
  if (!now_) broken("the time was not named", 0, "");
  return *now_;
}

void Books::open_hold(Hold hold) {
  const auto& [product, identity] = hold.key;
  if (hold.quantity < 1) broken("a hold of nothing", product, identity);
  if (!opened_.emplace(hold.key, hold).second) broken("a hold begins twice", product, identity);
}

void Books::close_hold(const LedgerKey& key) {
  if (opened_.erase(key) > 0) return;
  if (!closed_.insert(key).second) broken("a hold ends twice", key.first, key.second);
}

ProductId Books::fresh_id() {
  if (fresh_ids_used_ == fresh_ids_.size()) broken("there are too few fresh ids", 0, "");
  return fresh_ids_[fresh_ids_used_++];
}

void Books::add(AddedItem added) {
  const std::size_t at = place_of(added.item.id);
  if (at != stock_.size()) {
    if (stock_[at].stock) broken("an item is added twice", added.item.id, kOpening);
    stock_[at] = {
        .stock = Stock{.quantity = added.item.quantity, .low_stock = added.item.low_stock},
        .is_new = true};
  }
  added_.push_back(std::move(added));
}

void Books::keep(ItemAnswer answer) {
  const std::size_t at = place_of(answer.identity);
  if (at == answers_.size()) broken("a request for an item was not named", 0, answer.identity);
  if (answers_[at].answer) broken("an identity is decided twice", 0, answer.identity);
  answers_[at] = {.answer = std::move(answer), .is_new = true};
}

Changes Books::take_changes() {
  Changes changes;
  for (std::size_t at = 0; at < stock_.size(); ++at) {
    const StockSlot& slot = stock_[at];
    if (slot.stock && slot.is_changed && !slot.is_new) {
      changes.stock.emplace_back(needs_.products[at], *slot.stock);
    }
  }
  std::size_t count = added_.size();
  for (const EntrySlot& slot : entries_) count += slot.is_new ? 1 : 0;
  changes.entries.reserve(count);
  for (EntrySlot& slot : entries_) {
    if (slot.entry && slot.is_new) changes.entries.push_back(std::move(*slot.entry));
  }
  std::ranges::sort(added_, {}, [](const AddedItem& added) { return added.item.id; });
  for (AddedItem& added : added_) {
    const Quantity quantity = added.item.quantity;
    changes.entries.push_back({.key = {added.item.id, std::string(kOpening)},
                               .outcome = Outcome::opening,
                               .quantity = quantity,
                               .delta = quantity,
                               .quantity_after = quantity,
                               .version = 0});
    // The rest of the batch may have changed the stock since.
    const std::size_t at = place_of(added.item.id);
    const Stock opening{.quantity = quantity, .low_stock = added.item.low_stock};
    added.stock = at != stock_.size() ? stock_[at].stock.value_or(opening) : opening;
  }
  if (!added_.empty()) std::ranges::sort(changes.entries, {}, &LedgerEntry::key);
  changes.items = std::move(added_);
  for (AnswerSlot& slot : answers_) {
    if (slot.answer && slot.is_new) changes.item_requests.push_back(std::move(*slot.answer));
  }
  for (auto& [_, hold] : opened_) changes.opened.push_back(std::move(hold));
  changes.closed.assign(closed_.begin(), closed_.end());
  return changes;
}

}  // namespace inventory::domain
