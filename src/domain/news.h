#pragma once

// StockNews: the stock of a product before and after a batch, for events.

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
  std::optional<Stock> before = std::nullopt;  // empty: added by this batch
  Stock after = {};
  // The last request of the batch that changed the product or was a replay: if it comes again, it
  // is recognised and told again.
  std::size_t command = 0;
  // One of these requests was a replay: it is unknown whether its event was sent.
  bool is_repeated = false;

  friend bool operator==(const StockNews&, const StockNews&) = default;
};

// Which changes are told: those of the level, or all changes of the quantity.
enum class Telling : std::uint8_t { levels, all };

constexpr bool is_told(const StockNews& news, Telling telling) {
  if (news.is_repeated || !news.before) return true;
  return telling == Telling::all ? news.before->quantity != news.after.quantity
                                 : level_of(*news.before) != level_of(news.after);
}

}  // namespace inventory::domain
