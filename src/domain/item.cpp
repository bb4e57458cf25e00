#include "domain/item.h"

#include <algorithm>
#include <utility>

#include "domain/books.h"

namespace inventory::domain {

namespace {

ItemDecision repeat(const ItemAnswer& earlier, const NewItem& request) {
  const bool is_same =
      earlier.quantity == request.quantity && earlier.description == request.description &&
      earlier.chosen_id == request.chosen_id && earlier.low_stock == request.low_stock;
  if (!is_same) {
    return {.item = {0, request.quantity, request.description, request.created_at},
            .conflicts_with = earlier.id ? earlier.id : earlier.chosen_id};
  }
  return {.item = {earlier.id.value_or(0), earlier.quantity, earlier.description,
                   earlier.created_at, earlier.low_stock},
          .replayed = true,
          .is_taken = !earlier.id.has_value()};
}

// Also taken if an item with this id existed once: its ledger entries remain.
bool is_taken(ProductId id, const Books& books) {
  return books.stock(id) != nullptr || books.entry(id, kOpening) != nullptr;
}

}  // namespace

void add_needs(const NewItem& request, Needs& needs) {
  if (request.identity) needs.item_requests.push_back(*request.identity);
  if (!request.chosen_id) {
    ++needs.fresh_ids;
  } else {
    needs.products.push_back(*request.chosen_id);
    needs.entries.emplace_back(*request.chosen_id, kOpening);
    needs.ids_beyond = std::max(needs.ids_beyond, *request.chosen_id);
  }
}

ItemDecision decide(const NewItem& request, Books& books) {
  if (request.identity) {
    if (const auto* earlier = books.item_request(*request.identity)) {
      return repeat(*earlier, request);
    }
  }
  const bool is_rejected = request.chosen_id && is_taken(*request.chosen_id, books);
  Item item{.id = 0,
            .quantity = request.quantity,
            .description = request.description,
            .created_at = request.created_at,
            .low_stock = request.low_stock};
  if (!is_rejected) {
    item.id = request.chosen_id ? *request.chosen_id : books.fresh_id();
    books.add({.item = item});
  }
  if (request.identity) {
    books.keep({.identity = *request.identity,
                .id = is_rejected ? std::nullopt : std::optional(item.id),
                .quantity = item.quantity,
                .description = item.description,
                .created_at = item.created_at,
                .chosen_id = request.chosen_id,
                .low_stock = item.low_stock});
  }
  return {.item = std::move(item), .is_taken = is_rejected};
}

std::vector<ProductId> products_of(const NewItem& request) {
  return request.chosen_id ? std::vector{*request.chosen_id} : std::vector<ProductId>();
}

Outcome outcome_of(const ItemDecision& decision) {
  if (decision.conflicts_with) return Outcome::conflict;
  return decision.is_taken ? Outcome::product_exists : Outcome::item_added;
}

}  // namespace inventory::domain
