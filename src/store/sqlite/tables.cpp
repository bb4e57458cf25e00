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
constexpr std::int64_t kIdMax = 9'007'199'254'740'991;

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

Error not_readable(std::string_view file, std::string_view table, std::string_view identity) {
  return {Fault::unavailable,
          fmt::format("SQLite database {}: the row of {} with identity {} was not written by this "
                      "program and cannot be read",
                      file, table, identity)};
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
       "SELECT outcome, quantity FROM inventory_ledger WHERE product_id = ?1 AND identity = ?2"},
      {&tables.insert_entry_,
       "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      {&tables.select_request_,
       "SELECT product_id, quantity, description, created_at FROM inventory_item_request "
       "WHERE identity = ?1"},
      {&tables.insert_request_,
       "INSERT INTO inventory_item_request (identity, product_id, quantity, description, "
       "created_at) VALUES (?1, ?2, ?3, ?4, ?5)"},
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
  for (const auto product : std::span(products.begin(), end)) {
    auto read = select_item_.each(
        "reading the stock",
        [&](const Statement& row) {
          view.on_hand.emplace_hint(view.on_hand.end(), product, row.integer(0));
        },
        product);
    if (!read) {
      return read;
    }
  }
  return {};
}

Result<void> Tables::read_decisions(std::span<const domain::Order> orders,
                                    domain::BatchView& view) {
  for (const domain::Order& order : orders) {
    domain::LedgerKey key(order.product, order.ledger_identity());
    std::optional<Verdict> verdict;
    std::optional<Quantity> quantity;
    auto read = select_entry_.each(
        "reading the ledger",
        [&](const Statement& row) {
          verdict = to_verdict(row.text(0));
          quantity = row.integer(1);
        },
        key.first, std::string_view(key.second));
    if (!read) {
      return read;
    }
    if (!quantity) {
      continue;
    }
    if (!verdict) {
      return std::unexpected(not_readable(file_, "inventory_ledger", key.second));
    }
    view.decisions.emplace(std::move(key), domain::EarlierDecision{*verdict, *quantity});
  }
  return {};
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
  return {};
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
  for (const domain::NewItem& request : requests) {
    if (!request.identity) {
      continue;
    }
    std::optional<domain::Item> item;
    std::optional<domain::Timestamp> created_at;
    auto read = select_request_.each(
        "reading an item request",
        [&](const Statement& row) {
          created_at = to_timestamp(row.text(3));
          item = domain::Item{row.integer(0), row.integer(1), row.optional_text(2),
                              created_at.value_or(domain::Timestamp{})};
        },
        std::string_view(*request.identity));
    if (!read) {
      return read;
    }
    if (!item) {
      continue;
    }
    if (!created_at) {
      return std::unexpected(not_readable(file_, "inventory_item_request", *request.identity));
    }
    earlier.emplace(*request.identity, std::move(*item));
  }
  return {};
}

Result<std::vector<domain::ProductId>> Tables::fresh_ids(std::size_t count) {
  std::int64_t last = 0;
  auto read = select_last_id_.each("reading the last item id",
                                   [&](const Statement& row) { last = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  if (last > kIdMax - static_cast<std::int64_t>(count)) {
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
      written = insert_entry_.run("writing the ledger", item.id, std::string_view("opening"),
                                  std::string_view("opening"), item.quantity, item.quantity,
                                  std::string_view(now));
    }
    if (written && identity) {
      written = insert_request_.run("storing an item request", std::string_view(*identity), item.id,
                                    item.quantity, item.description, std::string_view(created_at));
    }
    if (!written) {
      return written;
    }
  }
  return {};
}

}  // namespace inventory::store::sqlite
