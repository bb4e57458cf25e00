#pragma once

// migrate: what is done to a database before the service works on it, in words; and the command.

#include <string>
#include <vector>

#include "app/command_line.h"
#include "app/configuration.h"
#include "store/migration_plan.h"

namespace inventory::app {

// For logs: without credentials.
std::string display(const DatabaseUrl& database);

// What the plan does, a line: "PostgreSQL host:5432/shop, schema public: the table inventory is
// adopted with its rows".
std::string describe(const store::MigrationPlan& plan);

// What keeps the plan from being carried out, a line each; empty: nothing does.
std::vector<std::string> objections(const store::MigrationPlan& plan, bool require_stock);

// Brings the database's schema up to date, or only says what that would be. Returns the exit
// status: kExitDone; kExitNo of a dry run where something is in the way; kExitFailed with the
// reason logged.
int migrate(const Configuration& configuration, const MigrateCommand& command);

}  // namespace inventory::app
