#include "store/sqlite/sqlite_reader.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/item_search.h"
#include "store/order_search.h"
#include "store/sqlite/fault.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {
namespace {

constexpr int kRecoveryWaitMs = 2'000;   // while a service recovers a log that a crash left
constexpr int kStepsOfAReader = 10'000;  // of a statement, between checks of the clock: 100 us

// Rows may be large, so one is read at a time; the query must not collect several.
std::string items_sql(std::string_view where) {
  return fmt::format(R"sql(
SELECT id, quantity, description, created_at, low_stock,
  (SELECT sum(quantity) FROM inventory_hold WHERE product_id = inventory.id), version
FROM inventory WHERE {} ORDER BY id LIMIT ?2
)sql",
                     where);
}

// Sorts only ids, not whole rows.
std::string found_items_sql(ItemOrder order) {
  static constexpr std::string_view kQuantity =
      "CASE WHEN typeof(quantity) = 'integer' THEN quantity ELSE -9223372036854775807 - 1 END";
  const std::string rank = order == ItemOrder::id ? "0"
                           : order == ItemOrder::quantity
                               ? std::string(kQuantity)
                               : fmt::format(
                                     "CASE WHEN {0} <= 0 THEN 0 "
                                     "WHEN typeof(low_stock) = 'integer' AND "
                                     "{0} <= low_stock THEN 1 ELSE 2 END",
                                     kQuantity);
  return fmt::format(
      "SELECT id FROM inventory WHERE {0} AND (?4 = '' OR description LIKE ?4 ESCAPE '\\') "
      "ORDER BY {1} LIMIT ?3",
      order == ItemOrder::id ? "?1 IS NOT NULL AND id > ?2"
                             : fmt::format("({}, id) > (?1, ?2)", rank),
      order == ItemOrder::id ? "id" : rank + ", id");
}

// For each product: the sum, the last identity, an identity whose delta is not an integer, and
// orders that are no longer held though nothing ended them. Reading continues after the last row.
constexpr std::string_view kLedger = R"sql(
SELECT product_id, sum(delta), max(identity), count(*),
  min(identity) FILTER (WHERE typeof(delta) <> 'integer'),
  count(*) FILTER (WHERE is_lost), min(identity) FILTER (WHERE is_lost)
FROM (
  SELECT product_id, identity, delta, CASE WHEN outcome = 'held' THEN
    NOT EXISTS (SELECT 1 FROM inventory_hold AS hold
      WHERE hold.product_id = entry.product_id AND hold.identity = entry.identity) AND
    NOT EXISTS (SELECT 1 FROM inventory_ledger AS ending
      WHERE ending.product_id = entry.product_id AND ending.identity IN
        ('c' || entry.identity, 'f' || entry.identity, 'x' || entry.identity) AND
        ending.outcome IN ('cancelled', 'confirmed', 'expired')) END AS is_lost
  FROM inventory_ledger AS entry
  WHERE (product_id, identity) > (?1, ?2) ORDER BY product_id, identity LIMIT ?3)
GROUP BY product_id ORDER BY product_id
)sql";

constexpr std::string_view kHolds = R"sql(
SELECT hold.product_id, hold.identity, hold.quantity, hold.expires_at, entry.outcome,
  entry.quantity, entry.terms,
  (SELECT outcome FROM inventory_ledger
   WHERE product_id = hold.product_id AND
     identity IN ('c' || hold.identity, 'f' || hold.identity, 'x' || hold.identity) AND
     outcome IN ('cancelled', 'confirmed', 'expired') LIMIT 1)
FROM (
  SELECT product_id, identity, quantity, expires_at FROM inventory_hold
  WHERE (product_id, identity) > (?1, ?2) ORDER BY product_id, identity LIMIT ?3) AS hold
LEFT JOIN inventory_ledger AS entry
  ON entry.product_id = hold.product_id AND entry.identity = hold.identity
ORDER BY hold.product_id, hold.identity
)sql";

constexpr std::string_view kCountHolds = R"sql(
SELECT (SELECT count(*) FROM (SELECT 1 FROM inventory_hold LIMIT ?1)),
  (SELECT count(*) FROM (SELECT 1 FROM inventory_hold WHERE expires_at <= ?2 LIMIT ?1)),
  (SELECT min(expires_at) FROM inventory_hold)
)sql";

// There is no index on the time: maintaining one would double the cost of an order here. So all
// entries of a product are read.
std::string entries_sql(std::string_view where, std::string_view rest) {
  return fmt::format(R"sql(
SELECT decided_at, coalesce(version, -1), delta = 0, substr(identity, 1, {0}),
  substr(outcome, 1, {1}), quantity, delta, quantity_after, substr(reason, 1, {1}),
  substr(terms, 1, {1})
FROM inventory_ledger WHERE product_id = ?1 AND {2} {3}
)sql",
                     kIdentityShown, kTextShown, where, rest);
}

std::string newest_entries_sql() {
  return entries_sql(
      fmt::format("(?2 IS NULL OR (decided_at, coalesce(version, -1), delta = 0, substr(identity, "
                  "1, {0})) < (?2, ?3, ?4, ?5))",
                  kIdentityShown),
      fmt::format("ORDER BY decided_at DESC, coalesce(version, -1) DESC, delta = 0 DESC, "
                  "substr(identity, 1, {0}) DESC LIMIT ?6",
                  kIdentityShown));
}

std::string entries_of_identity_sql() {
  return entries_sql("identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2)", "");
}

constexpr std::string_view kNextLine = R"sql(
SELECT identity FROM inventory_ledger
WHERE product_id = ?1 AND identity > ?2 AND identity < ?3 ORDER BY identity LIMIT 1
)sql";

constexpr std::string_view kLinesThatHold = R"sql(
SELECT identity FROM inventory_ledger
WHERE product_id = ?1 AND identity > ?2 AND identity < ?3 AND
  (instr(identity, ?4) > 0 OR instr(identity, ?5) > 0)
ORDER BY identity LIMIT ?6
)sql";

StoredEntry read_entry(const Statement& row) {
  StoredEntry entry{.identity = std::string(row.text(3)),
                    .outcome = std::string(row.text(4)),
                    .quantity = row.exact_integer(5),
                    .delta = row.exact_integer(6),
                    .quantity_after = row.exact_integer(7),
                    .reason = row.optional_text(8),
                    .terms = row.optional_text(9),
                    .decided_at = to_timestamp(row.text(0)),
                    .place = {}};
  entry.place = {.time = std::string(row.text(0)),
                 .version = row.integer(1),
                 .is_change = row.integer(2) == 0,
                 .identity = entry.identity};
  return entry;
}

bool is_newer(const StoredEntry& left, const StoredEntry& right) {
  const auto key = [](const EntryPlace& place) {
    return std::tuple(std::string_view(*place.time), place.version, !place.is_change,
                      std::string_view(place.identity));
  };
  return key(left.place) > key(right.place);
}

class SqliteReader : public Reader {
 public:
  SqliteReader(SqliteOptions options, std::optional<std::chrono::milliseconds> deadline)
      : path_(std::move(options.path)), owner_(options.owner), deadline_(deadline) {}

  Result<void> begin() override {
    handle_.reset();
    std::error_code failure;
    if (!std::filesystem::exists(path_, failure)) {
      return std::unexpected(
          Error{Fault::unavailable,
                fmt::format("SQLite database {}: there is no such file; --database-url or "
                            "DATABASE_URL says which one is meant",
                            std::filesystem::absolute(path_, failure).string())});
    }
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) {
      return std::unexpected(error_of(handle, path_, "opening it to read"));
    }
    sqlite3_busy_timeout(handle, kRecoveryWaitMs);
    if (deadline_) {
      until_ = std::chrono::steady_clock::now() + *deadline_;
      sqlite3_progress_handler(handle, kStepsOfAReader, &SqliteReader::is_late, this);
    }
    if (sqlite3_exec(handle, "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) {
      return std::unexpected(error_of(handle, path_, "beginning to read"));
    }
    return check_schema(handle, path_, owner_);  // takes the transaction's snapshot
  }

  // Reopening the file is cheap, and finds one that has replaced it.
  void end() override { handle_.reset(); }

  Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) override {
    auto statement = Statement::prepare(
        handle_.get(), "SELECT id, quantity FROM inventory WHERE id > ?1 ORDER BY id LIMIT ?2");
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<Amount> amounts;
    std::optional<Error> unreadable;
    auto read = statement->each(
        "reading the stock",
        [&](const Statement& row) {
          if (const auto quantity = row.exact_integer(1)) {
            amounts.push_back({row.integer(0), *quantity});
          } else {
            unreadable = no_quantity(row);
          }
        },
        after, static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    if (unreadable) {
      return std::unexpected(std::move(*unreadable));
    }
    return amounts;
  }

  Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count,
                                        std::size_t bytes_max) override {
    auto statement = Statement::prepare(handle_.get(), items_sql("id > ?1"));
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<StoredItem> items;
    std::size_t bytes = 0;
    auto read = statement->each(
        kReadingItems, [&](const Statement& row) { return add_item(row, bytes_max, bytes, items); },
        after, static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    return items;
  }

  Result<std::vector<StoredItem>> find_items(const ItemSearch& search, std::size_t count,
                                             std::size_t bytes_max) override {
    auto finding = Statement::prepare(handle_.get(), found_items_sql(search.order));
    auto reading = Statement::prepare(handle_.get(), items_sql("id = ?1"));
    if (!finding || !reading) {
      return std::unexpected(finding ? reading.error() : finding.error());
    }
    std::vector<domain::ProductId> ids;
    const std::string pattern = like_pattern(search.text);
    auto done = finding->each(
        "looking for items", [&](const Statement& row) { ids.push_back(row.integer(0)); },
        search.after.rank, search.after.id, static_cast<std::int64_t>(count),
        std::string_view(pattern));
    std::vector<StoredItem> items;
    std::size_t bytes = 0;
    bool has_room = true;
    for (std::size_t i = 0; done && has_room && i < ids.size(); ++i) {
      done = reading->each(
          kReadingItems,
          [&](const Statement& row) {
            has_room = add_item(row, bytes_max, bytes, items);
            return has_room;
          },
          ids[i], std::int64_t{1});
    }
    if (!done) {
      return std::unexpected(done.error());
    }
    return items;
  }

  Result<std::optional<LedgerRange>> ledger_range() override {
    // Separate subqueries: for both in one, SQLite reads the whole table.
    auto statement = Statement::prepare(handle_.get(),
                                        "SELECT (SELECT min(product_id) FROM inventory_ledger), "
                                        "(SELECT max(product_id) FROM inventory_ledger)");
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::optional<LedgerRange> range;
    auto read = statement->each("adding up the ledger", [&](const Statement& row) {
      if (!row.is_null(0)) range = {row.integer(0), row.integer(1)};
    });
    if (!read) {
      return std::unexpected(read.error());
    }
    return range;
  }

  Result<LedgerPart> ledger(const LedgerPlace& after, std::size_t count) override {
    auto statement = Statement::prepare(handle_.get(), kLedger);
    if (!statement) {
      return std::unexpected(statement.error());
    }
    LedgerPart part;
    std::int64_t entries = 0;
    LedgerPlace last;
    std::optional<Error> unreadable;
    auto read = statement->each(
        "adding up the ledger",
        [&](const Statement& row) {
          if (!row.is_null(4)) {
            unreadable = {Fault::failing,
                          fmt::format("SQLite database {}: table inventory_ledger, product_id {}, "
                                      "identity {}: delta is no integer",
                                      path_, row.display(0), row.text(4))};
            return;
          }
          part.sums.push_back({row.integer(0), row.integer(1)});
          if (row.integer(5) > 0) {
            part.lost_holds.push_back({.product = row.integer(0),
                                       .count = static_cast<std::size_t>(row.integer(5)),
                                       .first = std::string(row.text(6))});
          }
          last = {row.integer(0), std::string(row.text(2))};
          entries += row.integer(3);
        },
        after.product, std::string_view(after.identity), static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    if (unreadable) {
      return std::unexpected(std::move(*unreadable));
    }
    if (entries == static_cast<std::int64_t>(count)) {
      part.next = std::move(last);
    }
    return part;
  }

  Result<std::vector<OpenHold>> holds(const LedgerPlace& after, std::size_t count) override {
    auto statement = Statement::prepare(handle_.get(), kHolds);
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<OpenHold> holds;
    auto read = statement->each(
        "reading holds",
        [&](const Statement& row) {
          OpenHold& hold = holds.emplace_back();
          hold.order = {row.integer(0), std::string(row.text(1))};
          hold.quantity = row.exact_integer(2);
          hold.expires_at = to_timestamp(row.text(3));
          if (const auto outcome = domain::find_outcome(row.text(4))) {
            hold.entry = {.key = {hold.order.product, hold.order.identity},
                          .outcome = *outcome,
                          .quantity = row.integer(5),
                          .terms = row.optional_text(6)};
          }
          hold.ending = row.text(7);
        },
        after.product, std::string_view(after.identity), static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    return holds;
  }

  Result<HoldCounts> count_holds() override {
    auto statement = Statement::prepare(handle_.get(), kCountHolds);
    if (!statement) {
      return std::unexpected(statement.error());
    }
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const std::string until = to_text(now);
    HoldCounts counts;
    auto read = statement->each(
        "counting holds",
        [&](const Statement& row) {
          counts.open = static_cast<std::size_t>(row.integer(0));
          counts.due = static_cast<std::size_t>(row.integer(1));
          const auto first = to_timestamp(row.text(2));
          if (first && *first < now) counts.overdue = now - *first;
        },
        static_cast<std::int64_t>(kHoldsCountedMax), std::string_view(until));
    if (!read) {
      return std::unexpected(read.error());
    }
    return counts;
  }

  Result<std::vector<StoredEntry>> entries(domain::ProductId product, const EntryPlace& before,
                                           std::size_t count) override {
    auto statement = Statement::prepare(handle_.get(), newest_entries_sql());
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<StoredEntry> entries;
    auto read = statement->each(
        "reading the ledger", [&](const Statement& row) { entries.push_back(read_entry(row)); },
        product, before.time, before.version, std::int64_t{before.is_change ? 0 : 1},
        std::string_view(before.identity), static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    return entries;
  }

  Result<std::vector<StoredEntry>> entries_of_order(const OrderSearch& search) override {
    auto identities = named_identities(search);
    if (search.lines.empty()) {
      auto lines = find_lines(search);
      if (!lines) {
        return std::unexpected(std::move(lines.error()));
      }
      std::ranges::move(*lines, std::back_inserter(identities));
    }
    auto statement = Statement::prepare(handle_.get(), entries_of_identity_sql());
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<StoredEntry> entries;
    for (const std::string& identity : identities) {
      auto read = statement->each(
          kReadingAnOrder, [&](const Statement& row) { entries.push_back(read_entry(row)); },
          search.product, std::string_view(identity));
      if (!read) {
        return std::unexpected(read.error());
      }
    }
    std::ranges::sort(entries, is_newer);
    return only_of(search, std::move(entries));
  }

 private:
  static int is_late(void* reader) {
    return std::chrono::steady_clock::now() > static_cast<SqliteReader*>(reader)->until_ ? 1 : 0;
  }

  static constexpr std::string_view kReadingItems = "reading items";
  static constexpr std::string_view kReadingAnOrder = "reading an order's entries";

  // False: it exceeds `bytes_max`.
  static bool add_item(const Statement& row, std::size_t bytes_max, std::size_t& bytes,
                       std::vector<StoredItem>& items) {
    const std::string_view description = row.text(2);
    bytes += std::min(description.size(), kDescriptionBytesShown);
    if (bytes > bytes_max && !items.empty()) return false;
    StoredItem& item = items.emplace_back();
    item.id = row.integer(0);
    item.quantity = row.exact_integer(1);
    item.has_long_description = description.size() > kDescriptionBytesShown;
    if (!item.has_long_description && !row.is_null(2)) item.description = description;
    item.created_at = to_timestamp(row.text(3));
    item.has_odd_time = !item.created_at && !row.is_null(3);
    item.low_stock = row.exact_integer(4);
    item.held = row.integer(5);
    item.version = row.integer(6);
    return true;
  }

  // Identities with a line that may belong to the searched orders.
  Result<std::vector<std::string>> find_lines(const OrderSearch& search) {
    auto next_line = Statement::prepare(handle_.get(), kNextLine);
    if (!next_line) {
      return std::unexpected(next_line.error());
    }
    std::vector<std::string> named;
    std::string after = kLinesBegin;
    for (int tried = 0; tried < kLineIdsTried; ++tried) {
      std::optional<std::string> next;
      auto read = next_line->each(
          kReadingAnOrder, [&](const Statement& row) { next = row.text(0); }, search.product,
          std::string_view(after), std::string_view(kLinesEnd));
      if (!read) {
        return std::unexpected(read.error());
      }
      if (!next) {
        return named;
      }
      after = skip_line(search, *next, named);
    }
    return find_lines_that_hold(search);
  }

  Result<std::vector<std::string>> find_lines_that_hold(const OrderSearch& search) {
    auto statement = Statement::prepare(handle_.get(), kLinesThatHold);
    if (!statement) {
      return std::unexpected(statement.error());
    }
    const auto first = search.ids.front().ledger_identity();
    const auto last = search.ids.back().ledger_identity();
    std::vector<std::string> found;
    auto read = statement->each(
        kReadingAnOrder, [&](const Statement& row) { found.emplace_back(row.text(0)); },
        search.product, std::string_view(kLinesBegin), std::string_view(kLinesEnd),
        std::string_view(first), std::string_view(last), kLinesFoundMax);
    if (!read) {
      return std::unexpected(read.error());
    }
    return found;
  }

  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };

  // For a row (id, quantity).
  Error no_quantity(const Statement& row) const {
    return {Fault::failing,
            fmt::format("SQLite database {}: table inventory, product {}: quantity is {}", path_,
                        row.display(0), row.display(1))};
  }

  std::string path_;
  TablesOwner owner_;
  std::optional<std::chrono::milliseconds> deadline_;
  std::chrono::steady_clock::time_point until_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace

std::unique_ptr<Reader> make_sqlite_reader(SqliteOptions options,
                                           std::optional<std::chrono::milliseconds> deadline) {
  return std::make_unique<SqliteReader>(std::move(options), deadline);
}

}  // namespace inventory::store::sqlite
