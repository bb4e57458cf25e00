#include "server/open_archiver.h"

#include <variant>

#include "store/postgres/postgres_archiver.h"
#include "store/sqlite/sqlite_archiver.h"

namespace inventory::server {

std::unique_ptr<store::Archiver> open_archiver(const config::DatabaseUrl& database) {
  if (const auto* sqlite = std::get_if<config::SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_archiver(sqlite->path);
  }
  return store::postgres::make_postgres_archiver(
      {.connection_string = std::get<config::PostgresUrl>(database).url});
}

}  // namespace inventory::server
