#include "server/open_archiver.h"

#include <variant>

#include "store/postgres/postgres_archiver.h"
#include "store/sqlite/sqlite_archiver.h"

namespace inventory::server {

std::unique_ptr<store::Archiver> open_archiver(const config::DatabaseUrl& database,
                                               const store::TablesOwner& owner) {
  if (const auto* sqlite = std::get_if<config::SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_archiver({.path = sqlite->path, .owner = owner});
  }
  const auto& postgres = std::get<config::PostgresUrl>(database);
  return store::postgres::make_postgres_archiver(
      {.connection_string = postgres.url, .schema = postgres.schema, .owner = owner});
}

}  // namespace inventory::server
