#include "domain/item.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace inventory::domain {

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
        outcome.decisions.push_back({.item = found->second, .replayed = true});
        continue;
      }
      if (const auto found = here.find(*request.identity); found != here.end()) {
        outcome.decisions.push_back({.item = found->second, .replayed = true});
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
