#include "store/sqlite/sqlite_archiver.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "store/sqlite/connection.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {
namespace {

constexpr std::string_view kPageEnd = R"sql(
SELECT product_id, identity FROM inventory_ledger
WHERE (product_id, identity) > (?1, ?2) ORDER BY product_id, identity LIMIT 1 OFFSET ?3 - 1
)sql";

// A cancellation, confirmation or expiry is removed with its order, or by itself if its order is
// missing. A held order without an ending stays, for `verify`.
constexpr std::string_view kFindKeys = R"sql(
SELECT product_id, identity FROM inventory_ledger AS first
WHERE (product_id, identity) > (?1, ?2) AND (?3 IS NULL OR (product_id, identity) <= (?3, ?4)) AND
  decided_at < ?5 AND identity NOT IN ('opening', 'balance') AND
  NOT (substr(identity, 1, 1) IN ('c', 'f', 'x') AND EXISTS (
    SELECT 1 FROM inventory_ledger AS parent WHERE parent.product_id = first.product_id AND
      parent.identity = substr(first.identity, 2))) AND
  (outcome <> 'held' OR EXISTS (SELECT 1 FROM inventory_ledger AS ending
    WHERE ending.product_id = first.product_id AND ending.identity IN
      ('c' || first.identity, 'f' || first.identity, 'x' || first.identity) AND
      ending.outcome IN ('cancelled', 'confirmed', 'expired')))
ORDER BY product_id, identity
)sql";

constexpr std::string_view kIsOld = R"sql(
SELECT NOT EXISTS (SELECT 1 FROM inventory_hold WHERE product_id = ?1 AND identity = ?2) AND
  NOT EXISTS (SELECT 1 FROM inventory_ledger WHERE product_id = ?1 AND
    identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2) AND decided_at >= ?3)
)sql";

constexpr std::string_view kRead = R"sql(
SELECT product_id, identity, outcome, quantity, delta, decided_at || '+00', quantity_after, version,
  reason, terms, message_hash
FROM inventory_ledger WHERE product_id = ?1 AND identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2)
ORDER BY identity
)sql";

// The sum of the group's deltas, and the balance carried before.
constexpr std::string_view kSums = R"sql(
SELECT coalesce(sum(delta), 0), (SELECT coalesce(max(delta), 0) FROM inventory_ledger
  WHERE product_id = ?1 AND identity = 'balance')
FROM inventory_ledger WHERE product_id = ?1 AND identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2)
)sql";

constexpr std::string_view kBalanceNow = R"sql(
SELECT delta FROM inventory_ledger WHERE product_id = ?1 AND identity = 'balance'
)sql";

constexpr std::string_view kCarry = R"sql(
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at)
SELECT product_id, 'balance', 'brought_forward', sum(delta), sum(delta), max(decided_at)
FROM inventory_ledger WHERE product_id = ?1 AND identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2)
GROUP BY product_id HAVING sum(delta) <> 0
ON CONFLICT (product_id, identity) DO UPDATE SET
  quantity = quantity + excluded.quantity, delta = delta + excluded.delta,
  decided_at = max(decided_at, excluded.decided_at)
)sql";

constexpr std::string_view kTakeOut = R"sql(
DELETE FROM inventory_ledger
WHERE product_id = ?1 AND identity IN (?2, 'c' || ?2, 'f' || ?2, 'x' || ?2)
RETURNING 1
)sql";

constexpr std::string_view kFinding = "looking for old entries";
constexpr std::string_view kTakingOut = "taking entries out of the ledger";

class SqliteArchiver : public Archiver {
 public:
  explicit SqliteArchiver(SqliteOptions options)
      : path_(std::move(options.path)), owner_(options.owner) {}

  Result<void> begin(std::chrono::seconds age) override {
    std::error_code failure;
    const auto file = std::filesystem::weakly_canonical(path_, failure);
    if (failure || !std::filesystem::exists(file, failure)) {
      return std::unexpected(Error{
          Fault::unavailable, fmt::format("SQLite database {}: there is no such file", path_)});
    }
    auto connection = Connection::open(file.string(), Connection::Missing::refuse);
    if (!connection) return std::unexpected(std::move(connection.error()));
    if (auto checked = check_schema((*connection)->handle(), path_, owner_); !checked) {
      return checked;
    }
    before_ = to_text(std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now() - age));
    connection_ = *std::move(connection);
    for (auto& [statement, sql] : statements()) {
      auto prepared = Statement::prepare(connection_->handle(), sql);
      if (!prepared) return std::unexpected(std::move(prepared.error()));
      *statement = *std::move(prepared);
    }
    return {};
  }

  Result<OldEntries> find(const LedgerPlace& after, std::size_t count) override {
    OldEntries old;
    auto read = page_end_.each(
        kFinding,
        [&](const Statement& row) { old.next = {row.integer(0), std::string(row.text(1))}; },
        after.product, std::string_view(after.identity), static_cast<std::int64_t>(count));
    if (!read) return std::unexpected(std::move(read.error()));
    std::vector<LedgerPlace> keys;
    const auto until = old.next.value_or(LedgerPlace());
    read = find_keys_.each(
        kFinding,
        [&](const Statement& row) { keys.push_back({row.integer(0), std::string(row.text(1))}); },
        after.product, std::string_view(after.identity),
        old.next ? std::optional(until.product) : std::nullopt, std::string_view(until.identity),
        std::string_view(before_));
    if (!read) return std::unexpected(std::move(read.error()));
    for (LedgerPlace& key : keys) {
      const auto is_old = check(key);
      if (!is_old) return std::unexpected(is_old.error());
      if (!*is_old) continue;
      read = read_.each(
          kFinding, [&](const Statement& row) { add_row(row, old.rows); }, key.product,
          std::string_view(key.identity));
      if (!read) return std::unexpected(std::move(read.error()));
      old.keys.push_back(std::move(key));
    }
    return old;
  }

  Result<std::size_t> take_out(std::span<const LedgerPlace> keys) override {
    if (auto begun = connection_->begin(); !begun) return std::unexpected(std::move(begun.error()));
    auto gone = take_out_in_transaction(keys);
    if (!gone) {
      connection_->rollback();
      return gone;
    }
    if (auto committed = connection_->commit(); !committed) {
      return std::unexpected(std::move(committed.error()));
    }
    return gone;
  }

 private:
  std::vector<std::pair<Statement*, std::string_view>> statements() {
    return {{&page_end_, kPageEnd}, {&find_keys_, kFindKeys},    {&is_old_, kIsOld},
            {&read_, kRead},        {&carry_, kCarry},           {&take_out_, kTakeOut},
            {&sums_, kSums},        {&balance_now_, kBalanceNow}};
  }

  Result<bool> check(const LedgerPlace& key) {
    bool is_old = false;
    auto read = is_old_.each(
        kFinding, [&](const Statement& row) { is_old = row.integer(0) != 0; }, key.product,
        std::string_view(key.identity), std::string_view(before_));
    if (!read) return std::unexpected(std::move(read.error()));
    return is_old;
  }

  static void add_row(const Statement& row, std::vector<LedgerRow>& rows) {
    LedgerRow& entry = rows.emplace_back();
    for (std::size_t column = 0; column < entry.size(); ++column) {
      entry[column] = row.optional_text(static_cast<int>(column));
    }
  }

  // A trigger may swallow or change what is written: then nothing is removed.
  Result<void> carry(const LedgerPlace& key) {
    const std::string_view identity = key.identity;
    domain::Quantity sum = 0;
    domain::Quantity before = 0;
    auto read = sums_.each(
        kTakingOut,
        [&](const Statement& row) {
          sum = row.integer(0);
          before = row.integer(1);
        },
        key.product, identity);
    if (!read || sum == 0) return read;
    if (auto carried = carry_.run(kTakingOut, key.product, identity); !carried) return carried;
    std::optional<domain::Quantity> now;
    read = balance_now_.each(
        kTakingOut, [&](const Statement& row) { now = row.integer(0); }, key.product);
    if (!read || now == before + sum) return read;
    return std::unexpected(
        Error{Fault::failing,
              fmt::format("SQLite database {}: table inventory_ledger, product {}: the balance is "
                          "not what was written; does a trigger change it?",
                          path_, key.product)});
  }

  Result<std::size_t> take_out_in_transaction(std::span<const LedgerPlace> keys) {
    std::size_t gone = 0;
    for (const LedgerPlace& key : keys) {
      const auto is_old = check(key);
      if (!is_old) return std::unexpected(is_old.error());
      if (!*is_old) continue;
      const std::string_view identity = key.identity;
      if (auto carried = carry(key); !carried) return std::unexpected(std::move(carried.error()));
      auto taken =
          take_out_.each(kTakingOut, [&](const Statement&) { ++gone; }, key.product, identity);
      if (!taken) return std::unexpected(std::move(taken.error()));
    }
    return gone;
  }

  std::string path_;
  TablesOwner owner_;
  std::string before_;  // entries decided before this time are old
  std::unique_ptr<Connection> connection_;
  Statement page_end_;  // all statements are destroyed before the connection
  Statement find_keys_;
  Statement is_old_;
  Statement read_;
  Statement sums_;
  Statement balance_now_;
  Statement carry_;
  Statement take_out_;
};

}  // namespace

std::unique_ptr<Archiver> make_sqlite_archiver(SqliteOptions options) {
  return std::make_unique<SqliteArchiver>(std::move(options));
}

}  // namespace inventory::store::sqlite
