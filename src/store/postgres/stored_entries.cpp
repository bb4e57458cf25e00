#include "store/postgres/stored_entries.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "store/order_search.h"
#include "store/postgres/binary_array.h"

namespace inventory::store::postgres {
namespace {

using Entries = std::vector<StoredEntry>;

// The sort key of entries, which is also their place. A time is the number in its binary format,
// which infinity has as well.
constexpr std::string_view kPlace =
    "decided_at, coalesce(version, -1)::bigint, coalesce((delta = 0)::int, 0)::bigint, "
    "left(identity, {0}) COLLATE \"C\"";
constexpr std::string_view kNewestFirst =
    "decided_at DESC, coalesce(version, -1)::bigint DESC, coalesce((delta = 0)::int, 0)::bigint "
    "DESC, left(identity, {0}) COLLATE \"C\" DESC";
constexpr const char* kReadingAnOrder = "reading an order's entries";
constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();

std::string columns() {
  return fmt::format(
      "{0}, left(outcome, {1})::text, quantity::bigint, delta::bigint, "
      "quantity_after::bigint, left(reason, {1})::text, left(terms, {1})::text",
      fmt::format(kPlace, kIdentityShown), kTextShown);
}

// The separate bound on the time allows an index scan. The index is on `product_id + 0`, so that
// the planner does not use it for other statements (migrations/0002).
const Statement& entries() {
  static const auto kSql = fmt::format(R"sql(
SELECT {0} FROM inventory_ledger
WHERE product_id + 0 = $1::bigint AND decided_at <= $2::timestamptz AND
  ({1}) < ($2::timestamptz, $3::bigint, $4::bigint, $5::text)
ORDER BY {2} LIMIT $6::bigint)sql",
                                       columns(), fmt::format(kPlace, kIdentityShown),
                                       fmt::format(kNewestFirst, kIdentityShown));
  static const Statement kStatement{"entries", kSql.c_str()};
  return kStatement;
}

constexpr Statement kNextLine{"next_line", R"sql(
SELECT identity::text FROM inventory_ledger
WHERE product_id = $1::bigint AND identity > $2::text AND identity < $3::text
ORDER BY identity LIMIT 1)sql"};

constexpr Statement kLinesThatHold{"lines_that_hold", R"sql(
SELECT identity::text FROM inventory_ledger
WHERE product_id = $1::bigint AND identity > $2::text AND identity < $3::text AND
  (strpos(identity, $4::text) > 0 OR strpos(identity, $5::text) > 0)
ORDER BY identity LIMIT $6::bigint)sql"};

// For each order, its own entry and its cancellation, confirmation and expiry.
const Statement& entries_of_order() {
  static const auto kSql = fmt::format(R"sql(
SELECT {0}
FROM unnest($2::text[]) AS asked (order_identity)
CROSS JOIN LATERAL (
  SELECT * FROM inventory_ledger
  WHERE product_id = $1::bigint AND identity IN
    (order_identity, 'c' || order_identity, 'f' || order_identity, 'x' || order_identity)) AS entry
ORDER BY {1})sql",
                                       columns(), fmt::format(kNewestFirst, kIdentityShown));
  static const Statement kStatement{"entries_of_order", kSql.c_str()};
  return kStatement;
}

Entries read_rows(const PGresult* rows) {
  Entries entries(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    StoredEntry& entry = entries[static_cast<std::size_t>(row)];
    entry.decided_at = read_timestamp(rows, row, 0);
    entry.identity = read_text(rows, row, 3).value_or("");
    entry.outcome = read_text(rows, row, 4).value_or("");
    entry.quantity = read_bigint(rows, row, 5);
    entry.delta = read_bigint(rows, row, 6);
    entry.quantity_after = read_bigint(rows, row, 7);
    entry.reason = read_text(rows, row, 8);
    entry.terms = read_text(rows, row, 9);
    entry.place = {.time = std::to_string(read_bigint(rows, row, 0).value_or(0)),
                   .version = read_bigint(rows, row, 1).value_or(-1),
                   .is_change = read_bigint(rows, row, 2) == 0,
                   .identity = entry.identity};
  }
  return entries;
}

std::vector<std::string> read_texts(const PGresult* rows) {
  std::vector<std::string> texts;
  texts.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    texts.push_back(read_text(rows, row, 0).value_or(""));
  }
  return texts;
}

// Identities with a line that may belong to the searched orders.
Task<Result<std::vector<std::string>>> find_lines(Session& session, const OrderSearch& search,
                                                  Deadline deadline) {
  std::vector<std::string> named;
  std::string after = kLinesBegin;
  for (int tried = 0; tried < kLineIdsTried; ++tried) {
    session.execute(kNextLine, {binary_bigint(search.product), after, kLinesEnd});
    const auto results = co_await session.synchronize(kReadingAnOrder, deadline);
    if (!results) {
      co_return std::unexpected(results.error());
    }
    const auto next = read_texts(results->at(0).get());
    if (next.empty()) {
      co_return named;
    }
    after = skip_line(search, next.front(), named);
  }
  session.execute(
      kLinesThatHold,
      {binary_bigint(search.product), kLinesBegin, kLinesEnd, search.ids.front().ledger_identity(),
       search.ids.back().ledger_identity(), binary_bigint(kLinesFoundMax)});
  const auto results = co_await session.synchronize(kReadingAnOrder, deadline);
  if (!results) {
    co_return std::unexpected(results.error());
  }
  co_return read_texts(results->at(0).get());
}

// Empty if the place is not one of ours.
std::optional<std::int64_t> time_of(const EntryPlace& place) {
  if (!place.time) return kInfinity;
  std::int64_t time = 0;
  const char* end = place.time->data() + place.time->size();
  const auto [stop, error] = std::from_chars(place.time->data(), end, time);
  return error == std::errc() && stop == end ? std::optional(time) : std::nullopt;
}

}  // namespace

Task<Result<Entries>> stored_entries(Session& session, domain::ProductId product, EntryPlace before,
                                     std::size_t count, Deadline deadline) {
  const auto time = time_of(before);
  if (!time || before.identity.contains('\0')) {
    co_return std::unexpected(Error{Fault::refused, "there is no such place in the ledger"});
  }
  session.execute(entries(), {binary_bigint(product), binary_bigint(*time),
                              binary_bigint(before.time ? before.version : kInfinity),
                              binary_bigint(before.is_change ? 0 : 1), before.identity,
                              binary_bigint(static_cast<std::int64_t>(count))});
  const auto results = co_await session.synchronize("reading the ledger", deadline);
  if (!results) {
    co_return std::unexpected(results.error());
  }
  co_return read_rows(results->at(0).get());
}

Task<Result<Entries>> stored_entries_of_order(Session& session, OrderSearch search,
                                              Deadline deadline) {
  auto identities = named_identities(search);
  if (search.lines.empty()) {
    auto lines = co_await find_lines(session, search, deadline);
    if (!lines) {
      co_return std::unexpected(lines.error());
    }
    std::ranges::move(*lines, std::back_inserter(identities));
  }
  BinaryArray named(BinaryArray::Element::text, identities.size());
  for (const std::string& identity : identities) named.add(std::string_view(identity));
  session.execute(entries_of_order(), {binary_bigint(search.product), named.bytes()});
  const auto results = co_await session.synchronize(kReadingAnOrder, deadline);
  if (!results) {
    co_return std::unexpected(results.error());
  }
  co_return only_of(search, read_rows(results->at(0).get()));
}

}  // namespace inventory::store::postgres
