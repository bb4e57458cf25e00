#include "server/open_store.h"

#include <variant>

#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::app {

std::unique_ptr<store::Store> open_store(const boost::asio::any_io_executor& executor,
                                         const DatabaseUrl& database) {
  if (const auto* sqlite = std::get_if<SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_store(executor, {.path = sqlite->path});
  }
  return store::postgres::make_postgres_store(
      executor, {.connection_string = std::get<PostgresUrl>(database).url});
}

}  // namespace inventory::app
