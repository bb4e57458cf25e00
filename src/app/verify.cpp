#include "app/verify.h"

#include <chrono>
#include <cstdio>
#include <limits>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/command_line.h"
#include "app/open_reader.h"

namespace inventory::app {
namespace {

constexpr std::size_t kPage = 10'000;
constexpr std::chrono::seconds kProgressInterval{1};

using Amounts = std::vector<store::Amount>;

// Merges a page of stock with its ledger sums, both in the order of ids.
void merge(const Amounts& stock, const Amounts& ledger, Compared& compared,
           const std::function<void(const Disagreement&)>& report) {
  auto sum = ledger.begin();
  const auto disagrees = [&](const Disagreement& disagreement) {
    ++compared.disagreements;
    report(disagreement);
  };
  const auto report_missing = [&](domain::ProductId before) {
    for (; sum != ledger.end() && sum->product < before; ++sum) {
      ++compared.products;
      disagrees({sum->product, std::nullopt, sum->quantity});
    }
  };
  for (const store::Amount& item : stock) {
    report_missing(item.product);
    const bool has_sum = sum != ledger.end() && sum->product == item.product;
    const domain::Quantity total = has_sum ? (sum++)->quantity : 0;
    ++compared.products;
    if (total != item.quantity) {
      disagrees({item.product, item.quantity, total});
    }
  }
  report_missing(std::numeric_limits<domain::ProductId>::max());
}

std::string describe(const Disagreement& disagreement) {
  const auto& [product, stock, ledger] = disagreement;
  if (!stock) {
    return fmt::format("product {}: not there, ledger {}", product, ledger);
  }
  domain::Quantity difference = 0;
  if (__builtin_sub_overflow(*stock, ledger, &difference)) {
    return fmt::format("product {}: stock {}, ledger {}", product, *stock, ledger);
  }
  return fmt::format("product {}: stock {}, ledger {}, difference {:+}", product, *stock, ledger,
                     difference);
}

// CountingLine: a line on a terminal that counts, once it takes long enough to be looked at.
class CountingLine {
 public:
  void operator()(const Compared& compared) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || now - last_ < kProgressInterval) {
      return;
    }
    last_ = now;
    is_shown_ = true;
    fmt::print(stderr, "\r{} products compared\033[K", compared.products);
    std::fflush(stderr);
  }
  void clear() {
    if (std::exchange(is_shown_, false)) {
      fmt::print(stderr, "\r\033[K");
    }
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

store::Result<Compared> compare(store::Reader& reader, std::size_t page,
                                const std::function<void(const Disagreement&)>& report,
                                const std::function<void(const Compared&)>& progress) {
  if (auto begun = reader.begin(); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  Compared compared;
  // Below every id: also those that only somebody else can have given.
  domain::ProductId after = std::numeric_limits<domain::ProductId>::min();
  for (bool is_last = false; !is_last;) {
    const auto stock = reader.stock(after, page);
    if (!stock) {
      return std::unexpected(stock.error());
    }
    is_last = stock->size() < page;
    const domain::ProductId last =
        is_last ? std::numeric_limits<domain::ProductId>::max() : stock->back().product;
    const auto ledger = reader.ledger_sums(after, last);
    if (!ledger) {
      return std::unexpected(ledger.error());
    }
    merge(*stock, *ledger, compared, report);
    progress(compared);
    after = last;
  }
  return compared;
}

int verify(const Configuration& configuration) {
  const auto reader = open_reader(configuration.database);
  CountingLine progress;
  const auto compared = compare(
      *reader, kPage,
      [&](const Disagreement& disagreement) {
        progress.clear();
        fmt::print("{}\n", describe(disagreement));
      },
      [&](const Compared& so_far) { progress(so_far); });
  progress.clear();
  if (!compared) {
    fmt::print(stderr, "inventory-service: verify: {}\n", compared.error().what);
    return kExitFailed;
  }
  fmt::print("{} products compared, {} disagree\n", compared->products, compared->disagreements);
  return compared->disagreements == 0 ? kExitDone : kExitNo;
}

}  // namespace inventory::app
