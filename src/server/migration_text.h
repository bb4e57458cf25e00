#pragma once

// migration_text: what is done to a database before the service works on it, in words.

#include <string>
#include <vector>

#include "store/migration_plan.h"

namespace inventory::server {

// What the plan does, a line: "PostgreSQL host:5432/shop, schema public: the table inventory is
// adopted with its rows".
std::string describe(const store::MigrationPlan& plan);

// What keeps the plan from being carried out, a line each; empty: nothing does.
std::vector<std::string> objections(const store::MigrationPlan& plan, bool require_stock);

}  // namespace inventory::server
