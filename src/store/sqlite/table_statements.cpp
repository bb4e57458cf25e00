#include "store/sqlite/table_statements.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/sqlite/timestamp.h"
#include "store/trial.h"

namespace inventory::store::sqlite {
namespace {

using domain::kOpening;
using domain::Quantity;

constexpr std::string_view kNotHeld =
    "it does not hold what was written to it, and all was rolled back; a trigger is the likely "
    "cause";

// The clock of a database in a file is that of its machine.
domain::Timestamp now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

// The rows of a batch with invalid values.
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

// Empty if it is not a valid quantity.
std::optional<Quantity> quantity_of(std::optional<std::int64_t> number) {
  return number && *number >= 0 && *number <= domain::kQuantityMax ? number : std::nullopt;
}

}  // namespace

Result<TableStatements> TableStatements::prepare(Connection& connection,
                                                 domain::Partition partition) {
  TableStatements tables;
  tables.file_ = connection.file();
  tables.partition_ = partition;
  const std::pair<Statement*, std::string_view> statements[] = {
      {&tables.select_item_, "SELECT quantity, version, low_stock FROM inventory WHERE id = ?1"},
      {&tables.draw_,
       "WITH others AS (SELECT * FROM inventory WHERE typeof(quantity) = 'integer' AND "
       "id NOT IN (SELECT value FROM json_each(?1))), few (id, is_in_stock) AS ("
       "SELECT * FROM (SELECT id, true FROM others WHERE quantity > 0 LIMIT 100) UNION ALL "
       "SELECT * FROM (SELECT id, false FROM others WHERE quantity = 0 LIMIT 1)) "
       "SELECT id, is_in_stock FROM few ORDER BY is_in_stock DESC, random() LIMIT 1"},
      {&tables.update_item_, "UPDATE inventory SET quantity = ?2, version = ?3 WHERE id = ?1"},
      {&tables.insert_item_,
       "INSERT INTO inventory (id, quantity, version, description, created_at, low_stock) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      // The highest id ever used, including those of deleted items.
      {&tables.select_last_id_, "SELECT seq FROM sqlite_sequence WHERE name = 'inventory'"},
      {&tables.select_entry_,
       "SELECT outcome, quantity, delta, quantity_after, terms, message_hash, version "
       "FROM inventory_ledger WHERE product_id = ?1 AND identity = ?2"},
      {&tables.insert_entry_,
       "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at, "
       "quantity_after, version, reason, terms, message_hash) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
      {&tables.select_request_,
       "SELECT product_id, quantity, description, created_at, chosen_id, low_stock "
       "FROM inventory_item_request WHERE identity = ?1"},
      {&tables.insert_request_,
       "INSERT INTO inventory_item_request (identity, product_id, quantity, description, "
       "created_at, chosen_id, low_stock) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&tables.select_hold_,
       "SELECT quantity, expires_at FROM inventory_hold WHERE product_id = ?1 AND identity = ?2"},
      {&tables.insert_hold_,
       "INSERT INTO inventory_hold (product_id, identity, quantity, expires_at) "
       "VALUES (?1, ?2, ?3, ?4)"},
      {&tables.delete_hold_, "DELETE FROM inventory_hold WHERE product_id = ?1 AND identity = ?2"},
      {&tables.select_due_,
       "SELECT product_id, identity, quantity, expires_at FROM inventory_hold "
       "WHERE expires_at <= ?1 AND (expires_at, product_id, identity) > (?2, ?3, ?4) "
       "ORDER BY expires_at, product_id, identity LIMIT ?5"},
      {&tables.count_triggers_,
       "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name COLLATE NOCASE IN "
       "('inventory', 'inventory_ledger', 'inventory_item_request', 'inventory_hold')"},
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

Result<std::vector<domain::Decision>> TableStatements::execute(
    std::span<const domain::Command> commands, std::vector<domain::StockNews>* news) {
  const domain::Needs needs = domain::needs_of(commands);
  domain::Books books(needs);
  if (auto read = read_stock(needs, books); !read) {
    return std::unexpected(read.error());
  }
  if (auto read = read_entries(needs, books); !read) {
    return std::unexpected(read.error());
  }
  if (auto read = read_requests(needs, books); !read) {
    return std::unexpected(read.error());
  }
  if (needs.fresh_ids > 0) {
    auto ids = fresh_ids(needs);
    if (!ids) {
      return std::unexpected(ids.error());
    }
    books.found_fresh(*std::move(ids));
  }
  if (needs.now) books.found_now(now());
  auto decisions = domain::decide_all(commands, books, news);
  const domain::Changes changes = books.take_changes();
  if (auto written = write(changes); !written) {
    return std::unexpected(written.error());
  }
  if (auto checked = check(needs, changes); !checked) {
    return std::unexpected(checked.error());
  }
  return decisions;
}

Result<void> TableStatements::try_another(std::span<const domain::ProductId> products) {
  const auto trial = draw_trial(products);
  if (!trial) {
    return std::unexpected(trial.error());
  }
  const auto decided = execute(std::span(&*trial, 1));
  return decided ? check_trial(decided->front()) : std::unexpected(decided.error());
}

// Draws one at random.
Result<domain::Command> TableStatements::draw_trial(std::span<const domain::ProductId> products) {
  const auto list = fmt::format("[{}]", fmt::join(products, ","));
  std::optional<domain::Command> trial;
  auto read = draw_.each(
      "looking for another product",
      [&](const Statement& row) { trial = trial_of(row.integer(0), row.integer(1) != 0); },
      std::string_view(list));
  if (!read) {
    return std::unexpected(read.error());
  }
  if (!trial) {
    return std::unexpected(Error{Fault::refused, "there is no other product"});
  }
  return *std::move(trial);
}

Result<void> TableStatements::read_stock(const domain::Needs& needs, domain::Books& books) {
  FlawedRows flawed(file_);
  for (const auto product : needs.products) {
    auto read = select_item_.each(
        "reading the stock",
        [&](const Statement& row) {
          if (const auto quantity = quantity_of(row.exact_integer(0))) {
            books.found(product, {.quantity = *quantity,
                                  .version = row.integer(1),
                                  .low_stock = row.exact_integer(2)});
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

Result<void> TableStatements::read_entries(const domain::Needs& needs, domain::Books& books) {
  FlawedRows flawed(file_);
  for (std::size_t at = 0; at < needs.entries.size(); ++at) {
    const auto& [product, identity] = needs.entries[at];
    auto read = select_entry_.each(
        "reading the ledger",
        [&](const Statement& row) {
          const auto flaw =
              domain::flaw_of(identity, {row.text(0), row.exact_integer(1), row.exact_integer(2)});
          if (!flaw.empty()) {
            flawed.add(product, "inventory_ledger",
                       fmt::format("product_id {}, identity {}", product, identity), flaw);
            return;
          }
          books.found(at, {.key = {},
                           .outcome = *domain::find_outcome(row.text(0)),
                           .quantity = row.integer(1),
                           .delta = row.integer(2),
                           .quantity_after = row.exact_integer(3),
                           .version = row.exact_integer(6),
                           .terms = row.optional_text(4),
                           .message_hash = row.exact_integer(5)});
        },
        product, std::string_view(identity));
    if (!read) {
      return read;
    }
  }
  return std::move(flawed).result();
}

Result<void> TableStatements::read_requests(const domain::Needs& needs, domain::Books& books) {
  FlawedRows flawed(file_);
  for (const std::string& identity : needs.item_requests) {
    auto read = select_request_.each(
        "reading an item request",
        [&](const Statement& row) {
          const auto id = row.exact_integer(0);
          const auto quantity = row.exact_integer(1);
          const auto created_at = to_timestamp(row.text(3));
          const auto chosen_id = row.exact_integer(4);
          const bool is_rejection = row.is_null(0) && chosen_id;
          if ((id || is_rejection) && quantity && created_at) {
            books.found(domain::ItemAnswer{.identity = identity,
                                           .id = id,
                                           .quantity = *quantity,
                                           .description = row.optional_text(2),
                                           .created_at = *created_at,
                                           .chosen_id = chosen_id,
                                           .low_stock = row.exact_integer(5)});
            return;
          }
          const int column = !id && !is_rejection ? 0 : !quantity ? 1 : 3;
          constexpr std::array kColumns{"product_id", "quantity", "description", "created_at"};
          flawed.add("inventory_item_request", fmt::format("identity {}", identity),
                     fmt::format("{} is {}", kColumns.at(static_cast<std::size_t>(column)),
                                 row.display(column)));
        },
        std::string_view(identity));
    if (!read) {
      return read;
    }
  }
  return std::move(flawed).result();
}

Result<std::vector<domain::ProductId>> TableStatements::fresh_ids(const domain::Needs& needs) {
  std::int64_t last = 0;
  auto read = select_last_id_.each("reading the last item id",
                                   [&](const Statement& row) { last = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  const auto step = static_cast<std::int64_t>(partition_.count);
  if (last > domain::kQuantityMax - static_cast<std::int64_t>(needs.fresh_ids) * step) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: no item ids are left after {}, which someone "
                          "inserted: delete that item, and set the seq of inventory in "
                          "sqlite_sequence to the highest id that was given before it",
                          file_, last)});
  }
  std::vector<domain::ProductId> ids(needs.fresh_ids);
  // The ids of this partition after that one.
  last = std::max(last, needs.ids_beyond);
  std::int64_t next = last - last % step + static_cast<std::int64_t>(partition_.number);
  if (next <= last) next += step;
  for (domain::ProductId& id : ids) {
    id = next;
    next += step;
  }
  return ids;
}

Result<void> TableStatements::write(const domain::Changes& changes) {
  for (const auto& [product, stock] : changes.stock) {
    auto updated = update_item_.run("writing the stock", product, stock.quantity, stock.version);
    if (!updated) {
      return updated;
    }
  }
  if (auto added = write_items(changes); !added) {
    return added;
  }
  if (auto written = write_holds(changes); !written) {
    return written;
  }
  const std::string decided_at = to_text(now());
  for (const domain::LedgerEntry& entry : changes.entries) {
    const auto& [product, identity] = entry.key;
    auto inserted =
        insert_entry_.run("writing the ledger", product, std::string_view(identity),
                          domain::row_of(entry.outcome).word, entry.quantity, entry.delta,
                          std::string_view(decided_at), entry.quantity_after, entry.version,
                          entry.reason, entry.terms, entry.message_hash);
    if (!inserted) {
      return inserted;
    }
  }
  return {};
}

Result<void> TableStatements::write_items(const domain::Changes& changes) {
  for (const auto& [item, stock] : changes.items) {
    const std::string created_at = to_text(item.created_at);
    auto added = insert_item_.run("adding an item", item.id, stock.quantity, stock.version,
                                  item.description, std::string_view(created_at), item.low_stock);
    if (!added) {
      return added;
    }
  }
  for (const domain::ItemAnswer& answer : changes.item_requests) {
    const std::string created_at = to_text(answer.created_at);
    auto stored = insert_request_.run(
        "storing an item request", std::string_view(answer.identity), answer.id, answer.quantity,
        answer.description, std::string_view(created_at), answer.chosen_id, answer.low_stock);
    if (!stored) {
      return stored;
    }
  }
  return {};
}

Result<void> TableStatements::write_holds(const domain::Changes& changes) {
  for (const auto& [product, identity] : changes.closed) {
    auto ended = delete_hold_.run("ending a hold", product, std::string_view(identity));
    if (!ended) {
      return ended;
    }
  }
  for (const domain::Hold& hold : changes.opened) {
    const std::string expires_at = to_text(hold.expires_at);
    auto begun =
        insert_hold_.run("beginning a hold", hold.key.first, std::string_view(hold.key.second),
                         hold.quantity, std::string_view(expires_at));
    if (!begun) {
      return begun;
    }
  }
  return {};
}

Result<std::vector<domain::Hold>> TableStatements::due_holds(
    const std::optional<domain::Hold>& after, std::size_t count) {
  std::vector<domain::Hold> holds;
  const std::string until = to_text(now());
  const std::string from = after ? to_text(after->expires_at) : "";
  const auto key = after ? after->key : domain::LedgerKey();
  auto read = select_due_.each(
      "looking for holds that are due",
      [&](const Statement& row) {
        const auto expires_at = to_timestamp(row.text(3));
        if (!expires_at) return;  // not written by this service
        holds.push_back({.key = {row.integer(0), std::string(row.text(1))},
                         .quantity = row.integer(2),
                         .expires_at = *expires_at});
      },
      std::string_view(until), std::string_view(from), key.first, std::string_view(key.second),
      static_cast<std::int64_t>(count));
  if (!read) {
    return std::unexpected(read.error());
  }
  return holds;
}

template <class Matches, class... Keys>
Result<bool> TableStatements::holds(Statement& statement, Matches matches, const Keys&... keys) {
  bool held = false;
  auto read = statement.each(
      "reading what was written", [&](const Statement& row) { held = matches(row); }, keys...);
  if (!read) {
    return std::unexpected(read.error());
  }
  return held;
}

Result<bool> TableStatements::has_triggers() {
  std::int64_t count = 0;
  auto read = count_triggers_.each("looking for triggers",
                                   [&](const Statement& row) { count = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  return count > 0;
}

// Checks that every row that a batch has written exists and has the values written. Does not check
// descriptions and times: the owner's triggers may trim or set them. Errors do not name new ids, of
// which nobody has been told.
Result<void> TableStatements::check(const domain::Needs& needs, const domain::Changes& changes) {
  if (changes.empty()) {
    return {};
  }
  const auto needed = has_triggers();
  if (!needed) {
    return std::unexpected(needed.error());
  }
  if (!*needed) {
    return {};
  }
  FlawedRows flawed(file_);
  const auto look = [&](domain::ProductId product, std::string_view table, const std::string& row,
                        const Result<bool>& held) -> Result<void> {
    if (!held) {
      return std::unexpected(held.error());
    }
    if (!*held && std::ranges::binary_search(needs.products, product)) {
      flawed.add(product, table, row, kNotHeld);
    } else if (!*held) {
      flawed.add(table, row, kNotHeld);
    }
    return {};
  };
  Result<void> looked;
  const auto look_at_stock = [&](domain::ProductId product, Quantity quantity) {
    auto stock_is = [&](const Statement& row) { return row.exact_integer(0) == quantity; };
    looked = look(product, "inventory", fmt::format("id {}", product),
                  holds(select_item_, stock_is, product));
  };
  for (const auto& [product, stock] : changes.stock) {
    if (looked) look_at_stock(product, stock.quantity);
  }
  for (const auto& [item, stock] : changes.items) {
    if (looked) look_at_stock(item.id, stock.quantity);
  }
  for (const domain::LedgerEntry& entry : changes.entries) {
    if (!looked) break;
    const auto& [product, identity] = entry.key;
    auto entry_is = [&](const Statement& row) {
      return row.text(0) == domain::row_of(entry.outcome).word &&
             row.exact_integer(1) == entry.quantity && row.exact_integer(2) == entry.delta;
    };
    looked = look(product, "inventory_ledger",
                  fmt::format("product_id {}, identity {}", product, identity),
                  holds(select_entry_, entry_is, product, std::string_view(identity)));
  }
  const auto look_at_hold = [&](const domain::LedgerKey& key, const Result<bool>& held) {
    looked = look(key.first, "inventory_hold",
                  fmt::format("product_id {}, identity {}", key.first, key.second), held);
  };
  for (const domain::Hold& hold : changes.opened) {
    if (!looked) break;
    auto hold_is = [&](const Statement& row) {
      return row.exact_integer(0) == hold.quantity && row.text(1) == to_text(hold.expires_at);
    };
    const auto& [product, identity] = hold.key;
    look_at_hold(hold.key, holds(select_hold_, hold_is, product, std::string_view(identity)));
  }
  for (const domain::LedgerKey& key : changes.closed) {
    if (!looked) break;
    const auto there = holds(
        select_hold_, [](const Statement&) { return true; }, key.first,
        std::string_view(key.second));
    look_at_hold(key, there ? Result<bool>(!*there) : there);
  }
  for (const domain::ItemAnswer& answer : changes.item_requests) {
    if (!looked) break;
    auto request_is = [&](const Statement& row) {
      return row.exact_integer(0) == answer.id && row.exact_integer(1) == answer.quantity;
    };
    looked = look(answer.id.value_or(0), "inventory_item_request",
                  fmt::format("identity {}", answer.identity),
                  holds(select_request_, request_is, std::string_view(answer.identity)));
  }
  return looked ? std::move(flawed).result() : looked;
}

}  // namespace inventory::store::sqlite
