#include "store/postgres/due_holds.h"

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/stored_bytes.h"

namespace inventory::store::postgres {
namespace {

const Statement& find() {
  static const auto kSql = fmt::format(R"sql(
SELECT product_id, {}, quantity, expires_at AT TIME ZONE 'UTC' FROM inventory_hold
WHERE expires_at <= now() AND expires_at >= $1::timestamp AT TIME ZONE 'UTC' AND
  (expires_at, product_id, identity) > ($1::timestamp AT TIME ZONE 'UTC', $2::bigint, $3::text)
ORDER BY expires_at, product_id, identity LIMIT $4::bigint)sql",
                                       bytes_of("identity"));
  static const Statement kStatement{"due_holds", kSql.c_str()};
  return kStatement;
}

}  // namespace

Task<Result<std::vector<domain::Hold>>> due_holds(Session& session,
                                                  std::optional<domain::Hold> after,
                                                  std::size_t count, Deadline deadline) {
  const domain::Hold place = after.value_or(domain::Hold());
  session.execute(find(), {binary_timestamp(place.expires_at), binary_bigint(place.key.first),
                           place.key.second, binary_bigint(static_cast<std::int64_t>(count))});
  const auto results = co_await session.synchronize("looking for holds that are due", deadline);
  if (!results) co_return std::unexpected(results.error());
  const PGresult* rows = results->at(0).get();
  std::vector<domain::Hold> holds;
  holds.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    const auto expires_at = read_timestamp(rows, row, 3);
    if (!expires_at) continue;  // before the year 1: not written by this service
    holds.push_back(
        {.key = {read_bigint(rows, row, 0).value_or(0), read_text(rows, row, 1).value_or("")},
         .quantity = read_bigint(rows, row, 2).value_or(0),
         .expires_at = *expires_at});
  }
  co_return holds;
}

}  // namespace inventory::store::postgres
