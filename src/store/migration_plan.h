#pragma once

// MigrationPlan: what Store::migrate() would do to a database, and what stands in its way.

#include <cstdint>
#include <string>
#include <vector>

namespace inventory::store {

struct MigrationPlan {
  enum class Origin : std::uint8_t {
    current,  // the service's own: nothing but the migrations that are missing
    made,     // there is no table inventory: all are made, without an item
    adopted,  // there is one that is not the service's own: it is adopted with its rows
  };

  Origin tables = Origin::current;
  int missing = 0;  // migrations that are to be applied
  std::string
      where;  // the database and what of it, for texts: "PostgreSQL host:5432/shop, schema public"

  // Why the table cannot be adopted as it is: a sentence each that says what to do. Unless there is
  // none, migrate() changes nothing and fails.
  std::vector<std::string> obstacles = {};

  // Where tables are made: others that somebody may have meant.
  std::vector<std::string> look_alikes = {};
};

}  // namespace inventory::store
