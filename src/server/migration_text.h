#pragma once

// migration_text: says in words how a database is prepared before the service uses it.

#include <string>
#include <vector>

#include "store/migration_plan.h"

namespace inventory::server {

// What the plan does, in one line: "PostgreSQL host:5432/shop, schema public: the table inventory
// is adopted with its rows".
std::string describe(const store::MigrationPlan& plan);

// What prevents the plan from being carried out, one line each; empty if nothing does.
std::vector<std::string> objections(const store::MigrationPlan& plan, bool require_stock);

}  // namespace inventory::server
