#include "store/postgres/postgres_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/item_search.h"
#include "store/postgres/binary_array.h"
#include "store/postgres/blocking_loop.h"
#include "store/postgres/connect.h"
#include "store/postgres/connection_info.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/stored_entries.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

constexpr const char* kBeginToRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// A server that does not know the encoding of its text (SQL_ASCII) refuses a whole result if a text
// in it is not UTF-8, unless it is asked for raw bytes.
constexpr const char* kTakeBytes =
    "SELECT set_config('client_encoding', 'SQL_ASCII', true) "
    "WHERE getdatabaseencoding() = 'SQL_ASCII'";

constexpr Statement kStock{"stock", R"sql(
SELECT id::bigint, quantity::bigint FROM inventory WHERE id > $1 ORDER BY id LIMIT $2)sql"};

// $4: kDescriptionBytesShown. octet_length() does not read a long text.
constexpr Statement kItems{"items", R"sql(
SELECT id, quantity, CASE WHEN bytes <= $4::bigint THEN description END, created_at,
  bytes > $4::bigint, has_time, low_stock, held, version
FROM (
  SELECT *, sum(least(bytes, $4::bigint)) OVER (ORDER BY id) AS total, row_number() OVER (ORDER BY id)
  FROM (
    SELECT id::bigint, quantity::bigint, description::text,
      CASE WHEN created_at >= '0001-01-01' AND created_at < '10000-01-01'
        THEN created_at::timestamp END AS created_at,
      created_at IS NOT NULL AS has_time, low_stock::bigint, version::bigint,
      coalesce(octet_length(description::text), 0)::bigint AS bytes
    FROM inventory WHERE id > $1 ORDER BY id LIMIT $2) AS page) AS counted
CROSS JOIN LATERAL (
  SELECT least(coalesce(sum(quantity), 0), 9223372036854775807)::bigint AS held
  FROM inventory_hold WHERE product_id = counted.id) AS holds
WHERE total <= $3::bigint OR row_number = 1 ORDER BY id)sql"};

// $6: a pattern, or empty. An index helps only in the order of ids. For an ASCII pattern the
// collation "C" is enough, and takes half the time.
std::string found_items_sql(ItemOrder order) {
  static constexpr std::string_view kQuantity =
      "coalesce(quantity::bigint, '-9223372036854775808'::bigint)";
  const std::string rank =
      order == ItemOrder::id ? "0::bigint"
      : order == ItemOrder::quantity
          ? std::string(kQuantity)
          : fmt::format(
                "(CASE WHEN {0} <= 0 THEN 0 WHEN {0} <= low_stock::bigint THEN 1 ELSE 2 "
                "END)::bigint",
                kQuantity);
  return fmt::format(
      R"sql(
SELECT id, quantity, CASE WHEN bytes <= $5::bigint THEN description END, created_at,
  bytes > $5::bigint, has_time, low_stock, held, version
FROM (
  SELECT *, sum(least(bytes, $5::bigint)) OVER (ORDER BY place, id) AS total,
    row_number() OVER (ORDER BY place, id)
  FROM (
    SELECT id::bigint, quantity::bigint, description::text,
      CASE WHEN created_at >= '0001-01-01' AND created_at < '10000-01-01'
        THEN created_at::timestamp END AS created_at,
      created_at IS NOT NULL AS has_time, low_stock::bigint, version::bigint,
      coalesce(octet_length(description::text), 0)::bigint AS bytes, {0} AS place
    FROM inventory
    WHERE {1} AND ($6::text = '' OR
      CASE WHEN octet_length($6::text) = char_length($6::text)
        THEN description::text ILIKE $6::text COLLATE "C"
        ELSE description::text ILIKE $6::text END)
    ORDER BY {2} LIMIT $3::bigint) AS page) AS counted
CROSS JOIN LATERAL (
  SELECT least(coalesce(sum(quantity), 0), 9223372036854775807)::bigint AS held
  FROM inventory_hold WHERE product_id = counted.id) AS holds
WHERE total <= $4::bigint OR row_number = 1 ORDER BY place, id)sql",
      rank,
      order == ItemOrder::id ? "$1::bigint IS NOT NULL AND inventory.id > $2::bigint"
                             : fmt::format("({}, inventory.id) > ($1::bigint, $2::bigint)", rank),
      order == ItemOrder::id ? "inventory.id" : rank + ", inventory.id");
}

const Statement& found_items(ItemOrder order) {
  static const std::string kById = found_items_sql(ItemOrder::id);
  static const std::string kByQuantity = found_items_sql(ItemOrder::quantity);
  static const std::string kByScarcity = found_items_sql(ItemOrder::scarcity);
  static const Statement kStatements[] = {{"found_by_id", kById.c_str()},
                                          {"found_by_quantity", kByQuantity.c_str()},
                                          {"found_by_scarcity", kByScarcity.c_str()}};
  return kStatements[static_cast<std::size_t>(order)];
}

// For each product: the sum, the last identity, an identity without a delta, and orders that are no
// longer held though nothing ended them. Reading continues after the last row. CASE: looks for a
// hold only if the outcome is `held`.
constexpr Statement kLedger{"ledger", R"sql(
SELECT product_id::bigint, sum(delta)::bigint, max(identity)::text, count(*),
  min(identity) FILTER (WHERE delta IS NULL), count(*) FILTER (WHERE is_lost),
  min(identity) FILTER (WHERE is_lost)
FROM (
  SELECT product_id, identity, delta, CASE WHEN outcome = 'held' THEN
    NOT EXISTS (SELECT FROM inventory_hold AS hold
      WHERE hold.product_id = entry.product_id AND hold.identity = entry.identity) AND
    NOT EXISTS (SELECT FROM inventory_ledger AS ending
      WHERE ending.product_id = entry.product_id AND ending.identity IN
        ('c' || entry.identity, 'f' || entry.identity, 'x' || entry.identity) AND
        ending.outcome IN ('cancelled', 'confirmed', 'expired')) END AS is_lost
  FROM inventory_ledger AS entry
  WHERE (product_id, identity) > ($1::bigint, $2::text) ORDER BY product_id, identity LIMIT $3::bigint
) AS part GROUP BY product_id ORDER BY product_id)sql"};

constexpr Statement kLedgerRange{
    "ledger_range",
    "SELECT min(product_id)::bigint, max(product_id)::bigint FROM inventory_ledger"};

// Ordered by identity, as bytes.
constexpr Statement kHolds{"holds", R"sql(
SELECT hold.product_id::bigint, hold.identity::text, hold.quantity::bigint,
  hold.expires_at AT TIME ZONE 'UTC', entry.outcome::text, entry.quantity::bigint,
  entry.terms::text, ending.outcome::text
FROM (
  SELECT product_id, identity, quantity, expires_at FROM inventory_hold
  WHERE (product_id, identity) > ($1::bigint, $2::text) ORDER BY product_id, identity LIMIT $3::bigint
) AS hold
LEFT JOIN LATERAL (
  SELECT outcome, quantity, terms FROM inventory_ledger
  WHERE product_id = hold.product_id AND identity = hold.identity LIMIT 1) AS entry ON true
LEFT JOIN LATERAL (
  SELECT outcome FROM inventory_ledger
  WHERE product_id = hold.product_id AND
    identity IN ('c' || hold.identity, 'f' || hold.identity, 'x' || hold.identity) AND
    outcome IN ('cancelled', 'confirmed', 'expired') LIMIT 1) AS ending ON true
ORDER BY hold.product_id, hold.identity)sql"};

constexpr Statement kCountHolds{"count_holds", R"sql(
SELECT
  (SELECT count(*) FROM (SELECT FROM inventory_hold LIMIT $1::bigint) AS open),
  (SELECT count(*) FROM (
    SELECT FROM inventory_hold WHERE expires_at <= now() LIMIT $1::bigint) AS due),
  (SELECT (extract(epoch FROM now() - min(expires_at)) * 1000000)::bigint FROM inventory_hold
   WHERE expires_at > '-infinity'))sql"};

PostgresOptions for_reading(PostgresOptions options, std::chrono::milliseconds call_deadline) {
  options.session_attrs = "any";
  options.lock_timeout = options.migrate_lock_timeout;
  // It has deadlines of its own: nobody waits for its locks.
  options.statement_timeout = call_deadline;
  options.idle_in_transaction_session_timeout = call_deadline;
  return options;
}

class PostgresReader : public Reader {
 public:
  PostgresReader(PostgresOptions options, std::chrono::milliseconds call_deadline)
      : connect_timeout_(options.connect_timeout),
        call_deadline_(call_deadline),
        owner_(options.owner),
        info_(for_reading(std::move(options), call_deadline)) {}

  Result<void> begin() override { return loop_.run(begin_or_connect()); }

  void end() override {
    if (session_ && !loop_.run(roll_back())) session_.reset();
  }

  Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) override {
    return loop_.run(read_stock(after, static_cast<std::int64_t>(count)));
  }

  Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count,
                                        std::size_t bytes_max) override {
    return loop_.run(
        read_items(after, static_cast<std::int64_t>(count), static_cast<std::int64_t>(bytes_max)));
  }

  Result<std::vector<StoredItem>> find_items(const ItemSearch& search, std::size_t count,
                                             std::size_t bytes_max) override {
    return loop_.run(read_found_items(search, static_cast<std::int64_t>(count),
                                      static_cast<std::int64_t>(bytes_max)));
  }

  Result<std::optional<LedgerRange>> ledger_range() override {
    return loop_.run(read_ledger_range());
  }

  Result<LedgerPart> ledger(const LedgerPlace& after, std::size_t count) override {
    return loop_.run(read_ledger(after, static_cast<std::int64_t>(count)));
  }

  Result<std::vector<OpenHold>> holds(const LedgerPlace& after, std::size_t count) override {
    return loop_.run(read_holds(after, static_cast<std::int64_t>(count)));
  }

  Result<HoldCounts> count_holds() override { return loop_.run(read_hold_counts()); }

  Result<std::vector<StoredEntry>> entries(domain::ProductId product, const EntryPlace& before,
                                           std::size_t count) override {
    return loop_.run(stored_entries(*session_, product, before, count, deadline()));
  }

  Result<std::vector<StoredEntry>> entries_of_order(const OrderSearch& search) override {
    return loop_.run(stored_entries_of_order(*session_, search, deadline()));
  }

 private:
  // A kept connection may have ended meanwhile, which shows only when it is used.
  Task<Result<void>> begin_or_connect() {
    if (session_ && session_->idle()) {
      auto begun = co_await begin_on_session();
      if (begun || !session_->lost()) {
        co_return begun;
      }
    }
    session_.reset();
    auto connected = co_await connect(loop_.executor(), info_,
                                      std::chrono::steady_clock::now() + connect_timeout_);
    if (!connected) {
      co_return std::unexpected(std::move(connected.error()));
    }
    session_ = std::make_unique<Session>(loop_.executor(), std::move(*connected));
    co_return co_await begin_on_session();
  }

  Task<Result<void>> begin_on_session() {
    session_->command(kBeginToRead);
    session_->command(kNoTransactionTimeout.sql);
    session_->command(kTakeBytes);
    session_->command(kReadOwner);  // the first statement takes the snapshot
    session_->command(read_version_sql().c_str());
    const auto begun = co_await session_->synchronize("beginning to read", deadline());
    if (!begun) {
      Error error = begun.error();
      if (error.fault == Fault::failing) {
        error.fault = Fault::unavailable;  // no row has been read
      }
      if (auto missing = co_await find_missing_schema()) error = *std::move(missing);
      co_return std::unexpected(std::move(error));
    }
    const std::size_t last = begun->size() - 1;
    if (auto wrong = check_owner(*session_, owner_, (*begun)[last - 1].get())) {
      co_return std::unexpected(*std::move(wrong));
    }
    if (auto wrong = check_not_older(*session_, begun->back().get())) {
      co_return std::unexpected(*std::move(wrong));
    }
    co_return Result<void>();
  }

  // An error if reading could not begin because nothing was ever migrated.
  Task<std::optional<Error>> find_missing_schema() {
    if (session_->lost()) co_return std::nullopt;
    session_->command("ROLLBACK");
    const auto rolled_back = co_await session_->synchronize("ending to read", deadline());
    if (!rolled_back) co_return std::nullopt;
    co_return co_await find_unmigrated(*session_, deadline());
  }

  // False: the connection is not worth keeping.
  Task<bool> roll_back() {
    if (session_->lost() || session_->is_doubtful()) co_return false;
    if (session_->idle()) co_return true;
    session_->command("ROLLBACK");
    const auto rolled_back = co_await session_->synchronize("ending to read", deadline());
    co_return rolled_back && session_->idle();
  }

  Task<Result<std::vector<Amount>>> read_stock(std::int64_t after, std::int64_t count) {
    session_->execute(kStock, {binary_bigint(after), binary_bigint(count)});
    const auto results = co_await session_->synchronize("reading the stock", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    std::vector<Amount> amounts;
    amounts.reserve(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row) {
      const auto product = read_bigint(rows, row, 0);
      const auto quantity = read_bigint(rows, row, 1);
      if (!product || !quantity) {
        co_return std::unexpected(no_quantity(product));
      }
      amounts.push_back({*product, *quantity});
    }
    co_return amounts;
  }

  Task<Result<std::optional<LedgerRange>>> read_ledger_range() {
    session_->execute(kLedgerRange, {});
    const auto results = co_await session_->synchronize(kAddingUp, deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const auto first = read_bigint(results->at(0).get(), 0, 0);
    const auto last = read_bigint(results->at(0).get(), 0, 1);
    co_return first&& last ? std::optional(LedgerRange{*first, *last}) : std::nullopt;
  }

  Task<Result<LedgerPart>> read_ledger(LedgerPlace after, std::int64_t count) {
    session_->execute(kLedger,
                      {binary_bigint(after.product), after.identity, binary_bigint(count)});
    const auto results = co_await session_->synchronize(kAddingUp, deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    LedgerPart part;
    LedgerPlace last;
    std::int64_t read = 0;
    for (int row = 0; row < PQntuples(rows); ++row) {
      const auto product = read_bigint(rows, row, 0);
      const auto sum = read_bigint(rows, row, 1);
      const auto flawed = read_text(rows, row, 4);
      if (!product || !sum || flawed) {
        co_return std::unexpected(
            unreadable(fmt::format("table inventory_ledger, product_id {}, identity {}: delta",
                                   number_text(product), flawed.value_or("NULL"))));
      }
      part.sums.push_back({*product, *sum});
      if (const auto lost = read_bigint(rows, row, 5).value_or(0); lost > 0) {
        part.lost_holds.push_back({.product = *product,
                                   .count = static_cast<std::size_t>(lost),
                                   .first = read_text(rows, row, 6).value_or("")});
      }
      last = {*product, read_text(rows, row, 2).value_or("")};
      read += read_bigint(rows, row, 3).value_or(0);
    }
    if (read == count) {
      part.next = std::move(last);
    }
    co_return part;
  }

  Task<Result<std::vector<StoredItem>>> read_items(std::int64_t after, std::int64_t count,
                                                   std::int64_t bytes_max) {
    session_->execute(kItems, {binary_bigint(after), binary_bigint(count), binary_bigint(bytes_max),
                               binary_bigint(kDescriptionBytesShown)});
    const auto results = co_await session_->synchronize("reading items", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    co_return items_of(results->at(0).get());
  }

  Task<Result<std::vector<StoredItem>>> read_found_items(ItemSearch search, std::int64_t count,
                                                         std::int64_t bytes_max) {
    session_->execute(found_items(search.order),
                      {binary_bigint(search.after.rank), binary_bigint(search.after.id),
                       binary_bigint(count), binary_bigint(bytes_max),
                       binary_bigint(kDescriptionBytesShown), like_pattern(search.text)});
    const auto results = co_await session_->synchronize("looking for items", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    co_return items_of(results->at(0).get());
  }

  static std::vector<StoredItem> items_of(const PGresult* rows) {
    std::vector<StoredItem> items(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row) {
      StoredItem& item = items[static_cast<std::size_t>(row)];
      item.id = read_bigint(rows, row, 0).value_or(0);  // never NULL, because of `id > $1`
      item.quantity = read_bigint(rows, row, 1);
      item.description = read_text(rows, row, 2);
      item.has_long_description = read_bool(rows, row, 4);
      item.created_at = read_timestamp(rows, row, 3);
      item.has_odd_time = read_bool(rows, row, 5) && !item.created_at;
      item.low_stock = read_bigint(rows, row, 6);
      item.held = read_bigint(rows, row, 7).value_or(0);
      item.version = read_bigint(rows, row, 8).value_or(0);
    }
    return items;
  }

  Task<Result<std::vector<OpenHold>>> read_holds(LedgerPlace after, std::int64_t count) {
    session_->execute(kHolds, {binary_bigint(after.product), after.identity, binary_bigint(count)});
    const auto results = co_await session_->synchronize("reading holds", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    std::vector<OpenHold> holds(static_cast<std::size_t>(PQntuples(rows)));
    for (int row = 0; row < PQntuples(rows); ++row) {
      OpenHold& hold = holds[static_cast<std::size_t>(row)];
      hold.order = {read_bigint(rows, row, 0).value_or(0), read_text(rows, row, 1).value_or("")};
      hold.quantity = read_bigint(rows, row, 2);
      hold.expires_at = read_timestamp(rows, row, 3);
      if (const auto outcome = domain::find_outcome(read_text(rows, row, 4).value_or(""))) {
        hold.entry = {.key = {hold.order.product, hold.order.identity},
                      .outcome = *outcome,
                      .quantity = read_bigint(rows, row, 5).value_or(0),
                      .terms = read_text(rows, row, 6)};
      }
      hold.ending = read_text(rows, row, 7).value_or("");
    }
    co_return holds;
  }

  Task<Result<HoldCounts>> read_hold_counts() {
    session_->execute(kCountHolds, {binary_bigint(std::int64_t{kHoldsCountedMax})});
    const auto results = co_await session_->synchronize("counting holds", deadline());
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const PGresult* rows = results->at(0).get();
    const auto number = [rows](int column) {
      return std::max<std::int64_t>(0, read_bigint(rows, 0, column).value_or(0));
    };
    co_return HoldCounts{.open = static_cast<std::size_t>(number(0)),
                         .due = static_cast<std::size_t>(number(1)),
                         .overdue = std::chrono::microseconds(number(2))};
  }

  Error no_quantity(std::optional<domain::ProductId> product) const {
    return unreadable(fmt::format("table inventory, product {}: quantity", number_text(product)));
  }

  Error unreadable(std::string_view what) const {
    return {Fault::failing, fmt::format("PostgreSQL {}: {} is NULL", session_->where(), what)};
  }

  static std::string number_text(std::optional<std::int64_t> number) {
    return number ? std::to_string(*number) : "NULL";
  }

  Deadline deadline() const { return std::chrono::steady_clock::now() + call_deadline_; }

  static constexpr const char* kAddingUp = "adding up the ledger";

  BlockingLoop loop_;
  std::chrono::milliseconds connect_timeout_;
  std::chrono::milliseconds call_deadline_;
  TablesOwner owner_;
  ConnectionInfo info_;
  std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Reader> make_postgres_reader(PostgresOptions options,
                                             std::chrono::milliseconds call_deadline) {
  return std::make_unique<PostgresReader>(std::move(options), call_deadline);
}

}  // namespace inventory::store::postgres
