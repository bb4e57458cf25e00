#pragma once

// StockNews: how the stock of a product was before a batch and is after it, for whoever listens.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "domain/ledger.h"

namespace inventory::domain {

// out: nothing is left; low: not more than the product's low_stock; in: more.
enum class Level : std::uint8_t { out, low, in };

constexpr Level level_of(const Stock& stock) {
  if (stock.quantity == 0) return Level::out;
  return stock.low_stock && stock.quantity <= *stock.low_stock ? Level::low : Level::in;
}

struct StockNews {
  ProductId product = 0;
  std::optional<Stock> before = std::nullopt;  // nothing: the batch has added it
  Stock after = {};
  // The last request of the batch that changed the product, or that was decided before: if it comes
  // again, it is recognised, and is news again.
  std::size_t command = 0;
  // One of them was decided before: nobody knows whether that was told.
  bool is_repeated = false;

  friend bool operator==(const StockNews&, const StockNews&) = default;
};

// Which news are worth telling: of another level, or of any other quantity.
enum class Telling : std::uint8_t { levels, all };

constexpr bool is_told(const StockNews& news, Telling telling) {
  if (news.is_repeated || !news.before) return true;
  return telling == Telling::all ? news.before->quantity != news.after.quantity
                                 : level_of(*news.before) != level_of(news.after);
}

}  // namespace inventory::domain
