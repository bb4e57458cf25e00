#include "store/sqlite/tables.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {
namespace {

using domain::Quantity;
using domain::Verdict;

// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
constexpr std::int64_t kNumberMax = 9'007'199'254'740'991;

constexpr std::string_view kOpening = "opening";

constexpr std::string_view kNotHeld =
    "it does not hold what was written to it, and all was rolled back; a trigger is the likely "
    "cause";

constexpr std::array kOutcomes{
    std::pair{Verdict::accepted, std::string_view("accepted")},
    std::pair{Verdict::product_not_found, std::string_view("product_not_found")},
    std::pair{Verdict::not_enough_stock, std::string_view("not_enough_stock")},
};

std::string_view to_outcome(Verdict verdict) {
  return std::ranges::find(kOutcomes, verdict, [](auto& row) { return row.first; })->second;
}

std::optional<Verdict> to_verdict(std::string_view outcome) {
  const auto* found = std::ranges::find(kOutcomes, outcome, [](auto& row) { return row.second; });
  return found == kOutcomes.end() ? std::nullopt : std::optional(found->first);
}

std::string now_text() {
  return to_text(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

// The rows of a batch that hold what they should not.
class FlawedRows {
 public:
  explicit FlawedRows(std::string_view file) : file_(file) {}

  void add(std::string_view table, std::string_view row, std::string_view flaw) {
    if (++count_ == 1) {
      first_ = fmt::format("table {}, {}: {}", table, row, flaw);
    }
  }

  void add(domain::ProductId product, std::string_view table, std::string_view row,
           std::string_view flaw) {
    add(table, row, flaw);
    products_.push_back(product);
  }

  Result<void> result() && {
    if (count_ == 0) {
      return {};
    }
    return std::unexpected(
        Error{Fault::failing,
              fmt::format("SQLite database {}: {}{}", file_, first_,
                          count_ == 1 ? "" : fmt::format("; and {} rows more", count_ - 1)),
              std::move(products_)});
  }

 private:
  std::string_view file_;
  std::size_t count_ = 0;
  std::string first_;
  std::vector<domain::ProductId> products_;
};

// Nothing where it is no quantity of at least `least`.
std::optional<Quantity> quantity_of(std::optional<std::int64_t> number, Quantity least) {
  return number && *number >= least && *number <= kNumberMax ? number : std::nullopt;
}

// What a decision's row (outcome, quantity, delta) is wrong in; empty where it is as this program
// writes it.
std::string flaw_of(const Statement& row) {
  const auto verdict = to_verdict(row.text(0));
  const auto quantity = quantity_of(row.exact_integer(1), 1);
  if (!verdict) {
    return fmt::format("outcome is {}, which is no decision of an order", row.display(0));
  }
  if (!quantity) {
    return fmt::format("quantity is {}", row.display(1));
  }
  if (row.exact_integer(2) != (*verdict == Verdict::accepted ? -*quantity : 0)) {
    return fmt::format("delta is {}, which disagrees with outcome {} and quantity {}",
                       row.display(2), row.display(0), *quantity);
  }
  return "";
}

}  // namespace

Result<Tables> Tables::prepare(Connection& connection) {
  Tables tables;
  tables.file_ = connection.file();
  const std::pair<Statement*, std::string_view> statements[] = {
      {&tables.select_item_, "SELECT quantity FROM inventory WHERE id = ?1"},
      {&tables.update_item_, "UPDATE inventory SET quantity = ?2 WHERE id = ?1"},
      {&tables.insert_item_,
       "INSERT INTO inventory (id, quantity, description, created_at) VALUES (?1, ?2, ?3, ?4)"},
      // The highest id that was ever given, deleted ones included.
      {&tables.select_last_id_, "SELECT seq FROM sqlite_sequence WHERE name = 'inventory'"},
      {&tables.select_entry_,
       "SELECT outcome, quantity, delta FROM inventory_ledger "
       "WHERE product_id = ?1 AND identity = ?2"},
      {&tables.insert_entry_,
       "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      {&tables.select_request_,
       "SELECT product_id, quantity, description, created_at FROM inventory_item_request "
       "WHERE identity = ?1"},
      {&tables.insert_request_,
       "INSERT INTO inventory_item_request (identity, product_id, quantity, description, "
       "created_at) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {&tables.count_triggers_,
       "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN "
       "('inventory', 'inventory_ledger', 'inventory_item_request')"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = Statement::prepare(connection.handle(), sql);
    if (!prepared) {
      return std::unexpected(prepared.error());
    }
    *statement = std::move(*prepared);
  }
  return tables;
}

Result<std::vector<domain::OrderDecision>> Tables::decide_orders(
    std::span<const domain::Order> orders) {
  domain::BatchView view;
  if (auto read = read_stock(orders, view); !read) {
    return std::unexpected(read.error());
  }
  if (auto read = read_decisions(orders, view); !read) {
    return std::unexpected(read.error());
  }
  auto outcome = domain::decide_orders(orders, view);
  if (auto written = write(outcome); !written) {
    return std::unexpected(written.error());
  }
  return std::move(outcome.decisions);
}

Result<void> Tables::read_stock(std::span<const domain::Order> orders, domain::BatchView& view) {
  std::vector<domain::ProductId> products(orders.size());
  std::ranges::transform(orders, products.begin(), &domain::Order::product);
  std::ranges::sort(products);
  const auto [end, last] = std::ranges::unique(products);
  FlawedRows flawed(file_);
  for (const auto product : std::span(products.begin(), end)) {
    auto read = select_item_.each(
        "reading the stock",
        [&](const Statement& row) {
          if (const auto quantity = quantity_of(row.exact_integer(0), 0)) {
            view.on_hand.emplace_hint(view.on_hand.end(), product, *quantity);
          } else {
            flawed.add(product, "inventory", fmt::format("id {}", product),
                       fmt::format("quantity is {}", row.display(0)));
          }
        },
        product);
    if (!read) {
      return read;
    }
  }
  return std::move(flawed).result();
}

Result<void> Tables::read_decisions(std::span<const domain::Order> orders,
                                    domain::BatchView& view) {
  FlawedRows flawed(file_);
  for (const domain::Order& order : orders) {
    domain::LedgerKey key(order.product, order.ledger_identity());
    std::optional<domain::EarlierDecision> earlier;
    auto read = select_entry_.each(
        "reading the ledger",
        [&](const Statement& row) {
          const auto verdict = to_verdict(row.text(0));
          const auto flaw = flaw_of(row);
          if (verdict && flaw.empty()) {
            earlier = {*verdict, row.integer(1)};
          } else {
            flawed.add(key.first, "inventory_ledger",
                       fmt::format("product_id {}, identity {}", key.first, key.second), flaw);
          }
        },
        key.first, std::string_view(key.second));
    if (!read) {
      return read;
    }
    if (earlier) {
      view.decisions.emplace(std::move(key), *earlier);
    }
  }
  return std::move(flawed).result();
}

Result<void> Tables::write(const domain::BatchOutcome& outcome) {
  for (const auto& [product, quantity] : outcome.changed_stock) {
    if (auto updated = update_item_.run("writing the stock", product, quantity); !updated) {
      return updated;
    }
  }
  const std::string now = now_text();
  for (const domain::LedgerEntry& entry : outcome.new_entries) {
    const auto& [product, identity] = entry.key;
    auto inserted = insert_entry_.run("writing the ledger", product, std::string_view(identity),
                                      to_outcome(entry.verdict), entry.quantity, entry.delta,
                                      std::string_view(now));
    if (!inserted) {
      return inserted;
    }
  }
  return check(outcome);
}

template <class Matches, class... Keys>
Result<bool> Tables::holds(Statement& statement, Matches matches, const Keys&... keys) {
  bool held = false;
  auto read = statement.each(
      "reading what was written", [&](const Statement& row) { held = matches(row); }, keys...);
  if (!read) {
    return std::unexpected(read.error());
  }
  return held;
}

Result<bool> Tables::has_triggers() {
  std::int64_t count = 0;
  auto read = count_triggers_.each("looking for triggers",
                                   [&](const Statement& row) { count = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  return count > 0;
}

// Every row that a batch has written is there, and holds what was written.
Result<void> Tables::check(const domain::BatchOutcome& outcome) {
  const auto needed = has_triggers();
  if (!needed) {
    return std::unexpected(needed.error());
  }
  if (!*needed) {
    return {};
  }
  FlawedRows flawed(file_);
  for (const auto& [product, quantity] : outcome.changed_stock) {
    auto stock_is = [&](const Statement& row) { return row.exact_integer(0) == quantity; };
    const auto held = holds(select_item_, stock_is, product);
    if (!held) {
      return std::unexpected(held.error());
    }
    if (!*held) {
      flawed.add(product, "inventory", fmt::format("id {}", product), kNotHeld);
    }
  }
  for (const domain::LedgerEntry& entry : outcome.new_entries) {
    const auto& [product, identity] = entry.key;
    auto entry_is = [&](const Statement& row) {
      return row.text(0) == to_outcome(entry.verdict) && row.exact_integer(1) == entry.quantity &&
             row.exact_integer(2) == entry.delta;
    };
    const auto held = holds(select_entry_, entry_is, product, std::string_view(identity));
    if (!held) {
      return std::unexpected(held.error());
    }
    if (!*held) {
      flawed.add(product, "inventory_ledger",
                 fmt::format("product_id {}, identity {}", product, identity), kNotHeld);
    }
  }
  return std::move(flawed).result();
}

Result<std::vector<domain::ItemDecision>> Tables::add_items(
    std::span<const domain::NewItem> requests) {
  std::map<std::string, domain::Item> earlier;
  if (auto read = read_items(requests, earlier); !read) {
    return std::unexpected(read.error());
  }
  const auto ids = fresh_ids(requests.size());
  if (!ids) {
    return std::unexpected(ids.error());
  }
  auto outcome = domain::decide_items(requests, earlier, *ids);
  if (auto written = write(outcome.added); !written) {
    return std::unexpected(written.error());
  }
  return std::move(outcome.decisions);
}

Result<void> Tables::read_items(std::span<const domain::NewItem> requests,
                                std::map<std::string, domain::Item>& earlier) {
  FlawedRows flawed(file_);
  for (const domain::NewItem& request : requests) {
    if (!request.identity) {
      continue;
    }
    auto read = select_request_.each(
        "reading an item request",
        [&](const Statement& row) {
          const auto id = row.exact_integer(0);
          const auto quantity = row.exact_integer(1);
          const auto created_at = to_timestamp(row.text(3));
          if (id && quantity && created_at) {
            earlier.emplace(*request.identity,
                            domain::Item{*id, *quantity, row.optional_text(2), *created_at});
            return;
          }
          const int column = !id ? 0 : !quantity ? 1 : 3;
          constexpr std::array kColumns{"product_id", "quantity", "description", "created_at"};
          flawed.add("inventory_item_request", fmt::format("identity {}", *request.identity),
                     fmt::format("{} is {}", kColumns.at(static_cast<std::size_t>(column)),
                                 row.display(column)));
        },
        std::string_view(*request.identity));
    if (!read) {
      return read;
    }
  }
  return std::move(flawed).result();
}

Result<std::vector<domain::ProductId>> Tables::fresh_ids(std::size_t count) {
  std::int64_t last = 0;
  auto read = select_last_id_.each("reading the last item id",
                                   [&](const Statement& row) { last = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  if (last > kNumberMax - static_cast<std::int64_t>(count)) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: no item ids are left after {}, which someone "
                          "inserted: delete that item, and set the seq of inventory in "
                          "sqlite_sequence to the highest id that was given before it",
                          file_, last)});
  }
  std::vector<domain::ProductId> ids(count);
  std::iota(ids.begin(), ids.end(), last + 1);
  return ids;
}

Result<void> Tables::write(std::span<const domain::AddedItem> added) {
  const std::string now = now_text();
  for (const auto& [identity, item] : added) {
    const std::string created_at = to_text(item.created_at);
    auto written = insert_item_.run("adding an item", item.id, item.quantity, item.description,
                                    std::string_view(created_at));
    if (written) {
      // The ledger begins with the opening stock: so its deltas add up to what is on hand.
      written = insert_entry_.run("writing the ledger", item.id, kOpening, kOpening, item.quantity,
                                  item.quantity, std::string_view(now));
    }
    if (written && identity) {
      written = insert_request_.run("storing an item request", std::string_view(*identity), item.id,
                                    item.quantity, item.description, std::string_view(created_at));
    }
    if (!written) {
      return written;
    }
  }
  return check(added);
}

// Not descriptions and times: a trigger of the owner's may trim or date them.
Result<void> Tables::check(std::span<const domain::AddedItem> added) {
  const auto needed = has_triggers();
  if (!needed) {
    return std::unexpected(needed.error());
  }
  if (!*needed) {
    return {};
  }
  FlawedRows flawed(file_);
  for (const auto& [identity, item] : added) {
    auto item_is = [&](const Statement& row) { return row.exact_integer(0) == item.quantity; };
    auto opening_is = [&](const Statement& row) {
      return row.text(0) == kOpening && row.exact_integer(1) == item.quantity &&
             row.exact_integer(2) == item.quantity;
    };
    auto request_is = [&](const Statement& row) {
      return row.exact_integer(0) == item.id && row.exact_integer(1) == item.quantity;
    };
    auto held = holds(select_item_, item_is, item.id);
    if (held && *held) {
      held = holds(select_entry_, opening_is, item.id, kOpening);
    }
    if (held && *held && identity) {
      held = holds(select_request_, request_is, std::string_view(*identity));
    }
    if (!held) {
      return std::unexpected(held.error());
    }
    if (!*held) {
      flawed.add("inventory", fmt::format("id {}", item.id), kNotHeld);
    }
  }
  return std::move(flawed).result();
}

}  // namespace inventory::store::sqlite
