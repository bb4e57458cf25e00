#include "domain/expiry.h"

#include "domain/books.h"
#include "domain/hold.h"

namespace inventory::domain {

void add_needs(const Expiry& expiry, Needs& needs) {
  needs.products.push_back(expiry.product);
  needs.add_order_entries(expiry.product, expiry.identity);
  needs.now = true;
}

ExpiryDecision decide(const Expiry& expiry, Books& books) {
  const OrderEntries entries(books, expiry.product, expiry.identity);
  if (entries.expired != nullptr) {
    return {.outcome = Outcome::expired,
            .quantity = entries.expired->delta,
            .replayed = true,
            .version = entries.expired->version};
  }
  const auto terms = entries.is_open() ? hold_terms(*entries.order) : std::nullopt;
  if (!terms || !terms->until || *terms->until > books.now()) {
    return {.outcome = Outcome::hold_ended};
  }
  // If the product is gone, nothing is given back.
  const Stock* const stock = books.stock(expiry.product);
  if (stock == nullptr) books.set_torn();
  const Quantity back = stock != nullptr ? entries.order->quantity : 0;
  if (stock != nullptr && stock->quantity > kQuantityMax - back) {
    return {.outcome = Outcome::invalid};
  }
  books.close_hold({expiry.product, expiry.identity});
  const auto& entry = books.post({.key = {expiry.product, expired_identity(expiry.identity)},
                                  .outcome = Outcome::expired,
                                  .quantity = back,
                                  .delta = back});
  return {.outcome = Outcome::expired, .quantity = back, .version = entry.version};
}

std::vector<ProductId> products_of(const Expiry& expiry) { return {expiry.product}; }

Outcome outcome_of(const ExpiryDecision& decision) { return decision.outcome; }

}  // namespace inventory::domain
