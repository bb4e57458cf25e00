#include "app/open_reader.h"

#include <variant>

#include "store/postgres/postgres_reader.h"
#include "store/sqlite/sqlite_reader.h"

namespace inventory::app {

std::unique_ptr<store::Reader> open_reader(const DatabaseUrl& database) {
  if (const auto* sqlite = std::get_if<SqlitePath>(&database)) {
    return store::sqlite::make_sqlite_reader(sqlite->path);
  }
  return store::postgres::make_postgres_reader(
      {.connection_string = std::get<PostgresUrl>(database).url});
}

}  // namespace inventory::app
