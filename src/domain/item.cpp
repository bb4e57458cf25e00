#include "domain/item.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace inventory::domain {
namespace {

ItemDecision repeat(const Item& earlier, const NewItem& request) {
  if (earlier.quantity == request.quantity && earlier.description == request.description) {
    return {.item = earlier, .replayed = true};
  }
  return {.item = {0, request.quantity, request.description, request.created_at},
          .replayed = false,
          .conflicts_with = earlier.id};
}

}  // namespace

ItemBatchOutcome decide_items(std::span<const NewItem> requests,
                              const std::map<std::string, Item>& earlier,
                              std::span<const ProductId> fresh_ids) {
  if (fresh_ids.size() < requests.size()) {
    std::abort();  // a bug of the store: an item without an id cannot be decided
  }
  ItemBatchOutcome outcome;
  outcome.decisions.reserve(requests.size());
  std::map<std::string, Item> here;
  std::size_t ids_used = 0;

  for (const NewItem& request : requests) {
    if (request.identity) {
      if (const auto found = earlier.find(*request.identity); found != earlier.end()) {
        outcome.decisions.push_back(repeat(found->second, request));
        continue;
      }
      if (const auto found = here.find(*request.identity); found != here.end()) {
        outcome.decisions.push_back(repeat(found->second, request));
        continue;
      }
    }
    Item item{fresh_ids[ids_used++], request.quantity, request.description, request.created_at};
    if (request.identity) {
      here.emplace(*request.identity, item);
    }
    outcome.added.push_back({.identity = request.identity, .item = item});
    outcome.decisions.push_back({.item = std::move(item)});
  }
  std::ranges::sort(outcome.added, [](const AddedItem& a, const AddedItem& b) {
    return std::tie(a.identity, a.item.id) < std::tie(b.identity, b.item.id);
  });
  return outcome;
}

}  // namespace inventory::domain
