#include "cli/commands/verify.h"

#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/exit_status.h"
#include "server/open_reader.h"

namespace inventory::cli {
namespace {

constexpr std::size_t kPage = 10'000;  // products, and ledger entries, of one statement
constexpr std::chrono::seconds kProgressInterval{1};

// LedgerSums: the whole sums of products that have one, in the order of ids, from parts of a ledger
// that are read when they are needed.
class LedgerSums {
 public:
  LedgerSums(store::Reader& reader, std::size_t page) : reader_(reader), page_(page) {}

  // Nothing at the end.
  store::Result<std::optional<store::Amount>> next() {
    for (;;) {
      if (auto read = fill(); !read) return std::unexpected(std::move(read.error()));
      if (at_ == sums_.size()) return std::nullopt;
      if (const store::Amount sum = sums_[at_++]; sum.quantity != 0) return sum;
    }
  }

 private:
  // So that there is a product after which another one comes, or the end.
  store::Result<void> fill() {
    while (is_more_ && at_ + 1 >= sums_.size()) {
      const auto open = at_ < sums_.size() ? std::optional(sums_[at_]) : std::nullopt;
      auto part = reader_.ledger(place_, page_);
      if (!part) return std::unexpected(std::move(part.error()));
      sums_ = std::move(part->sums);
      at_ = 0;
      if (open && (sums_.empty() || sums_.front().product != open->product)) {
        sums_.insert(sums_.begin(), *open);
      } else if (open && __builtin_add_overflow(sums_.front().quantity, open->quantity,
                                                &sums_.front().quantity)) {
        return std::unexpected(store::Error{
            store::Fault::unavailable,
            fmt::format("the ledger of product {} adds up to more than 64 bits", open->product)});
      }
      std::optional<store::LedgerPlace> next = std::move(part->next);
      is_more_ = next.has_value();
      if (next) place_ = std::move(*next);
    }
    return {};
  }

  store::Reader& reader_;
  std::size_t page_;
  store::LedgerPlace place_;
  bool is_more_ = true;
  std::vector<store::Amount> sums_;
  std::size_t at_ = 0;
};

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
  LedgerSums ledger(reader, page);
  auto sum = ledger.next();
  const auto disagrees = [&](const Disagreement& disagreement) {
    ++compared.disagreements;
    report(disagreement);
  };
  // Those of the ledger below an id, which are not in stock.
  const auto report_missing = [&](domain::ProductId before) {
    for (; sum && *sum && (*sum)->product < before; sum = ledger.next()) {
      ++compared.products;
      disagrees({(*sum)->product, std::nullopt, (*sum)->quantity});
    }
  };
  // Below every id: also those that only somebody else can have given.
  domain::ProductId after = std::numeric_limits<domain::ProductId>::min();
  for (bool is_last = false; !is_last && sum;) {
    const auto stock = reader.stock(after, page);
    if (!stock) {
      return std::unexpected(stock.error());
    }
    is_last = stock->size() < page;
    for (const store::Amount& item : *stock) {
      after = item.product;
      report_missing(item.product);
      if (!sum) break;
      const auto& next = *sum;
      const bool has_sum = next && next->product == item.product;
      const domain::Quantity total = next && has_sum ? next->quantity : 0;
      if (has_sum) sum = ledger.next();
      ++compared.products;
      if (total != item.quantity) {
        disagrees({item.product, item.quantity, total});
      }
    }
    progress(compared);
  }
  report_missing(std::numeric_limits<domain::ProductId>::max());
  if (!sum) {
    return std::unexpected(std::move(sum.error()));
  }
  return compared;
}

namespace {

// Prints what disagrees, and the counts in a last line. Returns the exit status: kExitDone if all
// agree, kExitNo if anything disagrees, kExitFailed with the reason on standard error.
int verify(const config::Configuration& configuration) {
  const auto reader = server::open_reader(configuration.database);
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
    return report_failure("verify: " + compared.error().what);
  }
  fmt::print("{} products compared, {} disagree\n", compared->products, compared->disagreements);
  return compared->disagreements == 0 ? kExitDone : kExitNo;
}

}  // namespace

Command verify_command() {
  return {
      .name = "verify",
      .summary = "Compare ledger and stock of every product",
      .description =
          "Changes nothing, and may run beside a service or against a standby.\n\n"
          "Example:\n  inventory-service verify --database-url sqlite:inventory.db\n\n"
          "Exit codes: 0 all agree; 1 some disagree, one line each; 2 wrong command line or "
          "setting;\n3 could not be done.",
      .prepare = [](const Arguments&, const config::Configuration&) -> Prepared { return verify; },
  };
}

}  // namespace inventory::cli
