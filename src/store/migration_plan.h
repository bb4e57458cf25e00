#pragma once

// MigrationPlan: what Store::migrate() would do to a database, and what prevents it.

#include <cstdint>
#include <string>
#include <vector>

namespace inventory::store {

struct MigrationPlan {
  enum class Origin : std::uint8_t {
    current,  // the tables are the service's own: only missing migrations are applied
    made,     // there is no table inventory: all tables are made, without items
    adopted,  // the table inventory is not the service's own: it is adopted with its rows
  };

  Origin tables = Origin::current;
  int missing = 0;  // migrations to apply
  std::string
      where;  // database and schema, for messages: "PostgreSQL host:5432/shop, schema public"

  // Why the table cannot be adopted as it is, each a sentence that says what to do. If there are
  // any, migrate() fails and changes nothing.
  std::vector<std::string> obstacles = {};

  // If tables are made: other tables that somebody may have meant.
  std::vector<std::string> look_alikes = {};
};

}  // namespace inventory::store
