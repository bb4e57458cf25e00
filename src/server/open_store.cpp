#include "server/open_store.h"

#include <variant>

#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::server {

std::unique_ptr<store::Store> open_store(const boost::asio::any_io_executor& executor,
                                         const config::DatabaseUrl& database,
                                         const store::TablesOwner& owner) {
  if (const auto* sqlite = std::get_if<config::SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_store(executor, {.path = sqlite->path, .owner = owner});
  }
  const auto& postgres = std::get<config::PostgresUrl>(database);
  return store::postgres::make_postgres_store(
      executor, {.connection_string = postgres.url, .schema = postgres.schema, .owner = owner});
}

}  // namespace inventory::server
