#include "server/open_reader.h"

#include <utility>
#include <variant>

#include "store/postgres/postgres_reader.h"
#include "store/sqlite/sqlite_reader.h"

namespace inventory::server {

std::unique_ptr<store::Reader> open_reader(const config::DatabaseUrl& database,
                                           const store::TablesOwner& owner,
                                           std::optional<std::chrono::milliseconds> deadline) {
  if (const auto* sqlite = std::get_if<config::SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_reader({.path = sqlite->path, .owner = owner}, deadline);
  }
  const auto& postgres = std::get<config::PostgresUrl>(database);
  store::postgres::PostgresOptions options{
      .connection_string = postgres.url, .schema = postgres.schema, .owner = owner};
  if (!deadline) {
    return store::postgres::make_postgres_reader(std::move(options));
  }
  options.connect_timeout = *deadline;
  return store::postgres::make_postgres_reader(std::move(options), *deadline);
}

}  // namespace inventory::server
