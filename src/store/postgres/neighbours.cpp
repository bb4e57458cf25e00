#include "store/postgres/neighbours.h"

#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace inventory::store::postgres {
namespace {

constexpr auto* kLookingForNeighbours = "looking for other tables of this service";

// SQL: whether to look for others at all. A client that sets search_path means that schema.
std::string is_guarded(const std::string& schema, const TablesOwner& owner) {
  return owner.partition
             ? fmt::format("'{}' ~ '^inventory_[0-9]+$'", schema)
             : "(SELECT source <> 'client' FROM pg_settings WHERE name = 'search_path')";
}

// {0}: is_guarded(), {1}: the schema that is wanted, {2}: a schema besides those of partitions, or
// nothing. In the order of numbers. What may not be read is left out.
constexpr std::string_view kNeighbours = R"sql(
SELECT nspname FROM pg_namespace AS n JOIN pg_class AS c ON relnamespace = n.oid
WHERE relname = 'inventory_migration' AND relkind = 'r'
  AND (nspname ~ '^inventory_[0-9]+$' OR nspname = '{2}') AND nspname <> '{1}' AND {0}
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  AND (SELECT count(*) = 2 FROM pg_attribute
       WHERE attrelid = c.oid AND attname IN ('version', 'name') AND NOT attisdropped)
ORDER BY length(nspname), nspname
)sql";

struct Neighbour {
  std::string schema;
  std::optional<std::string> owner;  // the name in the row; empty: an undivided stock
};

Task<Result<std::vector<Neighbour>>> find_neighbours(Session& session, const std::string& schema,
                                                     const TablesOwner& owner, Deadline deadline) {
  const bool with_public = owner.partition && !owner.is_being_filled;
  const auto found = co_await session.script(
      kLookingForNeighbours,
      fmt::format(kNeighbours, is_guarded(schema, owner), schema, with_public ? "public" : ""),
      deadline);
  if (!found) co_return std::unexpected(found.error());
  std::vector<Neighbour> neighbours;
  std::string read_owners;
  for (int row = 0; row < PQntuples(found->back().get()); ++row) {
    const std::string name = PQgetvalue(found->back().get(), row, 0);
    neighbours.push_back({name, std::nullopt});
    read_owners += fmt::format("{}SELECT name FROM {}.inventory_migration WHERE version = 0",
                               read_owners.empty() ? "" : "; ", name);
  }
  if (neighbours.empty()) co_return neighbours;
  const auto read =
      co_await session.script(kLookingForNeighbours, std::move(read_owners), deadline);
  if (!read) co_return std::unexpected(read.error());
  for (std::size_t at = 0; at < neighbours.size(); ++at) {
    const PGresult* rows = read->at(at).get();
    if (PQntuples(rows) > 0) neighbours[at].owner = PQgetvalue(rows, 0, 0);
  }
  co_return neighbours;
}

// The count in "partition 3/16" or "partition 3/16, being filled"; empty if it is none.
std::optional<std::uint32_t> count_in(std::string_view name) {
  const auto slash = name.find('/');
  if (!name.starts_with("partition ") || slash == name.npos) return std::nullopt;
  std::uint32_t count = 0;
  const auto read = std::from_chars(name.data() + slash + 1, name.data() + name.size(), count);
  return read.ec == std::errc() ? std::optional(count) : std::nullopt;
}

std::optional<std::string> conflict_of_partition(const domain::Partition& partition,
                                                 const std::vector<Neighbour>& neighbours) {
  for (const auto& [schema, name] : neighbours) {
    const auto count = name ? count_in(*name) : std::nullopt;
    if (count && *count != partition.count) {
      return fmt::format("the database has {} partitions (schema {}), not {}", *count, schema,
                         partition.count);
    }
  }
  for (const auto& [schema, name] : neighbours) {
    if (schema == "public" && !name) {
      return fmt::format(
          "schema public has an undivided stock that was not moved: run inventory-service migrate "
          "--partition all/{} --from-undivided",
          partition.count);
    }
  }
  return std::nullopt;
}

std::optional<std::string> conflict_of_undivided(const std::vector<Neighbour>& neighbours) {
  for (const auto& [schema, name] : neighbours) {
    if (name && count_in(*name)) {
      return fmt::format(
          "the database has partitions (schema {}: {}), and no undivided stock where search_path "
          "leads: --partition says which is meant",
          schema, *name);
    }
  }
  return std::nullopt;
}

}  // namespace

Task<Result<std::optional<std::string>>> find_conflict(Session& session, const std::string& schema,
                                                       const TablesOwner& owner,
                                                       Deadline deadline) {
  const auto neighbours = co_await find_neighbours(session, schema, owner, deadline);
  if (!neighbours) co_return std::unexpected(neighbours.error());
  co_return owner.partition ? conflict_of_partition(*owner.partition, *neighbours)
                            : conflict_of_undivided(*neighbours);
}

// The number after that of batch_reads.cpp. Whoever makes tables holds it for a moment only.
Task<Result<void>> lock_out_neighbours(Session& session, const std::string& schema,
                                       const TablesOwner& owner,
                                       std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const auto locked = co_await session.script(
      "waiting for others that make tables",
      fmt::format("SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(6909560, 0) WHERE {}; "
                  "SET LOCAL lock_timeout = {}",
                  is_guarded(schema, owner), lock_timeout.count()),
      deadline);
  if (!locked) co_return std::unexpected(locked.error());
  co_return Result<void>();
}

}  // namespace inventory::store::postgres
