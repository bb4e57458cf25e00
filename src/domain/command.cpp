#include "domain/command.h"

#include <map>
#include <optional>

namespace inventory::domain {
namespace {

std::optional<Stock> stock_of(ProductId product, const Books& books) {
  const Stock* const stock = books.stock(product);
  return stock != nullptr ? std::optional(*stock) : std::nullopt;
}

// Compares the products of each command before and after it.
class NewsGatherer {
 public:
  explicit NewsGatherer(const Books& books) : books_(books) {}

  void before(const Command& command) {
    products_ = products_of(command);
    for (const ProductId product : products_) {
      const auto stock = stock_of(product, books_);
      seen_.try_emplace(product,
                        Seen{.news = {.product = product, .before = stock}, .last = stock});
    }
  }

  void after(std::size_t command, const Decision& decision) {
    const bool is_replayed = domain::is_replayed(decision);
    for (const ProductId product : products_) {
      Seen& seen = seen_.at(product);
      const auto stock = stock_of(product, books_);
      const bool is_changed = stock != seen.last;
      seen.last = stock;
      if (!stock || (!is_changed && !is_replayed)) continue;
      seen.is_news = true;
      seen.news.after = *stock;
      seen.news.command = command;
      seen.news.is_repeated = seen.news.is_repeated || is_replayed;
    }
    // An item whose id the service chose is not among the books' products: tell its opening stock.
    const auto* added = std::get_if<ItemDecision>(&decision);
    if (added == nullptr || !products_.empty() || outcome_of(*added) != Outcome::item_added) return;
    StockNews& news = added_[added->item.id];
    news.product = added->item.id;
    news.after = {.quantity = added->item.quantity, .low_stock = added->item.low_stock};
    news.command = command;
    news.is_repeated = news.is_repeated || is_replayed;
  }

  std::vector<StockNews> take() {
    std::vector<StockNews> all;
    for (const auto& [_, seen] : seen_) {
      if (seen.is_news) all.push_back(seen.news);
    }
    for (const auto& [_, news] : added_) all.push_back(news);
    return all;
  }

 private:
  struct Seen {
    StockNews news;
    std::optional<Stock> last;
    bool is_news = false;
  };

  const Books& books_;
  std::vector<ProductId> products_;  // of the command being decided
  std::map<ProductId, Seen> seen_;
  std::map<ProductId, StockNews> added_;
};

}  // namespace

Needs needs_of(std::span<const Command> commands) {
  Needs needs;
  needs.products.reserve(commands.size());
  needs.entries.reserve(commands.size());
  for (const Command& command : commands) {
    std::visit([&](const auto& one) { add_needs(one, needs); }, command);
  }
  needs.sort();
  return needs;
}

std::vector<Decision> decide_all(std::span<const Command> commands, Books& books,
                                 std::vector<StockNews>* news) {
  std::vector<Decision> decisions;
  decisions.reserve(commands.size());
  NewsGatherer gatherer(books);
  for (const Command& command : commands) {
    if (news != nullptr) gatherer.before(command);
    std::visit([&](const auto& one) { decisions.emplace_back(decide(one, books)); }, command);
    if (news != nullptr) gatherer.after(decisions.size() - 1, decisions.back());
  }
  if (news != nullptr) *news = gatherer.take();
  return decisions;
}

std::vector<ProductId> products_of(const Command& command) {
  return std::visit([](const auto& one) { return products_of(one); }, command);
}

Outcome outcome_of(const Decision& decision) {
  return std::visit([](const auto& one) { return outcome_of(one); }, decision);
}

bool is_replayed(const Decision& decision) {
  return std::visit([](const auto& one) { return one.replayed; }, decision);
}

bool may_be_another_line(const Decision& decision) {
  if (const auto* order = std::get_if<OrderDecision>(&decision)) return order->may_be_another_line;
  const auto* basket = std::get_if<BasketDecision>(&decision);
  return basket != nullptr && basket->may_be_another_line;
}

}  // namespace inventory::domain
