#include "cli/commands/verify.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/exit_status.h"
#include "cli/partitions.h"
#include "domain/hold.h"
#include "server/open_reader.h"
#include "terminal/printable.h"
#include "terminal/progress.h"

namespace inventory::cli {
namespace {

constexpr std::size_t kPage = 10'000;  // products or ledger entries read by one statement

// LedgerSums: the sum of each product's ledger, in the order of ids, without sums of 0. Reads the
// ledger in parts, as needed.
class LedgerSums {
 public:
  LedgerSums(store::Reader& reader, std::size_t page,
             std::function<void(const store::LostHolds&)> on_lost,
             std::function<void(const store::LedgerPlace&)> on_part)
      : reader_(reader), page_(page), on_lost_(std::move(on_lost)), on_part_(std::move(on_part)) {}

  // Empty at the end.
  store::Result<std::optional<store::Amount>> next() {
    for (;;) {
      if (auto read = fill(); !read) return std::unexpected(std::move(read.error()));
      if (at_ == sums_.size()) return std::nullopt;
      if (const store::Amount sum = sums_[at_++]; sum.quantity != 0) return sum;
    }
  }

 private:
  // Reads until the sum of the next product is complete: another product follows, or the end.
  store::Result<void> fill() {
    while (is_more_ && at_ + 1 >= sums_.size()) {
      const auto open = at_ < sums_.size() ? std::optional(sums_[at_]) : std::nullopt;
      auto part = reader_.ledger(place_, page_);
      if (!part) return std::unexpected(std::move(part.error()));
      std::ranges::for_each(part->lost_holds, on_lost_);
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
      if (next) {
        place_ = std::move(*next);
        on_part_(place_);
      }
    }
    return {};
  }

  store::Reader& reader_;
  std::size_t page_;
  std::function<void(const store::LostHolds&)> on_lost_;
  std::function<void(const store::LedgerPlace&)> on_part_;
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

std::string describe(const HoldFlaw& flaw) {
  return fmt::format("product {}, order {}: {}", flaw.product, terminal::printable(flaw.order),
                     flaw.what);
}

HoldFlaw flaw_of(const store::LostHolds& lost) {
  std::string what = "neither held nor confirmed, cancelled or expired";
  if (lost.count > 1) what += fmt::format("; nor are {} more of its orders", lost.count - 1);
  return {lost.product, lost.first, std::move(what)};
}

// Empty if the hold is as it should be.
std::optional<HoldFlaw> flaw_of(const store::OpenHold& hold) {
  const auto flaw = [&hold](std::string what) {
    return HoldFlaw{hold.order.product, hold.order.identity, std::move(what)};
  };
  if (!hold.entry || hold.entry->outcome != domain::Outcome::held) {
    return flaw("is held, but its order is not in the ledger as held");
  }
  if (!hold.ending.empty()) return flaw("is held, though it was " + hold.ending);
  if (hold.quantity != hold.entry->quantity) {
    return flaw(fmt::format("{} is held, of {} that were ordered",
                            hold.quantity ? fmt::to_string(*hold.quantity) : "no number",
                            hold.entry->quantity));
  }
  const auto terms = domain::hold_terms(*hold.entry);
  if (!terms || terms->until != hold.expires_at) {
    return flaw("is held until another time than its order says");
  }
  return std::nullopt;
}

// Checks all open holds.
store::Result<void> check_holds(store::Reader& reader, std::size_t page, Compared& compared,
                                const Reports& reports,
                                const std::function<void(const Compared&)>& progress) {
  store::LedgerPlace after;
  for (bool is_last = false; !is_last;) {
    const auto holds = reader.holds(after, page);
    if (!holds) {
      return std::unexpected(holds.error());
    }
    for (const store::OpenHold& hold : *holds) {
      ++compared.holds;
      if (const auto flaw = flaw_of(hold)) {
        ++compared.flawed_holds;
        reports.of_hold(*flaw);
      }
    }
    is_last = holds->size() < page;
    if (!is_last) after = holds->back().order;
    progress(compared);
  }
  return {};
}

}  // namespace

store::Result<Compared> compare(store::Reader& reader, std::size_t page,
                                const std::optional<domain::Partition>& partition,
                                const Reports& reports,
                                const std::function<void(const Compared&)>& progress) {
  if (auto begun = reader.begin(); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  const auto range = reader.ledger_range();
  if (!range) {
    return std::unexpected(range.error());
  }
  Compared compared;
  LedgerSums ledger(
      reader, page,
      [&](const store::LostHolds& lost) {
        compared.flawed_holds += lost.count;
        reports.of_hold(flaw_of(lost));
      },
      [&](const store::LedgerPlace& place) {
        if (*range) compared.share = (*range)->share_before(place.product);
        progress(compared);
      });
  auto sum = ledger.next();
  const auto disagrees = [&](const Disagreement& disagreement) {
    ++compared.disagreements;
    reports.of_stock(disagreement);
  };
  // Reports products below this id that have ledger entries and no row.
  const auto report_missing = [&](domain::ProductId before) {
    for (; sum && *sum && (*sum)->product < before; sum = ledger.next()) {
      ++compared.products;
      disagrees({(*sum)->product, std::nullopt, (*sum)->quantity});
    }
  };
  // Below every id, also those that the service never assigns.
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
      if (partition && !partition->holds(item.product)) {
        ++compared.misplaced;
        reports.of_misplaced(item.product,
                             {.number = domain::partition_of(item.product, partition->count),
                              .count = partition->count});
      }
      if (total != item.quantity) {
        disagrees({item.product, item.quantity, total});
      }
    }
  }
  report_missing(std::numeric_limits<domain::ProductId>::max());
  if (!sum) {
    return std::unexpected(std::move(sum.error()));
  }
  if (auto checked = check_holds(reader, page, compared, reports, progress); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return compared;
}

namespace {

// Prints what disagrees, and the counts in a last line. Returns the exit status: kExitDone if all
// agree, kExitNo if anything disagrees, kExitFailed with the reason on standard error.
int verify(const config::Configuration& configuration) {
  const store::TablesOwner owner = owner_of(configuration);
  const auto reader = server::open_reader(configuration.database, owner);
  terminal::Progress progress("comparing", terminal::is_terminal(STDERR_FILENO));
  const auto print = [&](const auto& what) {
    progress.clear();
    fmt::print("{}\n", describe(what));
  };
  const auto print_misplaced = [&](domain::ProductId product, const domain::Partition& its_own) {
    progress.clear();
    fmt::print("product {}: belongs to {}\n", product, store::display(its_own));
  };
  const auto compared =
      compare(*reader, kPage, owner.partition,
              {.of_stock = print, .of_hold = print, .of_misplaced = print_misplaced},
              [&](const Compared& so_far) { progress.update_share(so_far.share); });
  progress.clear();
  if (!compared) {
    return report_failure("verify: " + compared.error().what);
  }
  fmt::print("{} products compared, {} disagree", compared->products, compared->disagreements);
  if (compared->holds > 0 || compared->flawed_holds > 0) {
    fmt::print("; {} holds, {} wrong", compared->holds, compared->flawed_holds);
  }
  if (compared->misplaced > 0) {
    fmt::print("; {} in the wrong partition", compared->misplaced);
  }
  fmt::print("\n");
  return compared->agrees() ? kExitDone : kExitNo;
}

int verify_each(const config::Configuration& configuration) {
  return for_each_partition(configuration, verify);
}

}  // namespace

Command verify_command() {
  return {
      .name = "verify",
      .summary = "Compare the ledger with stock and holds",
      .description =
          "Changes nothing, and may run while a service runs, or on a standby.\n\n"
          "Example:\n"
          "  inventory-service verify --database-url sqlite:inventory.db\n\n"
          "Exit codes: 0 all agrees; 1 something disagrees, one line each; 2 wrong command line\n"
          "or setting; 3 could not be done.",
      .prepare = [](const Arguments&, const config::Configuration&) -> Prepared {
        return verify_each;
      },
  };
}

}  // namespace inventory::cli
