#pragma once

// The archiver that a database URL names.

#include <memory>

#include "config/database_url.h"
#include "store/archiver.h"
#include "store/tables_owner.h"

namespace inventory::server {

// Does not connect yet: begin() does. owner: whose tables they are.
std::unique_ptr<store::Archiver> open_archiver(const config::DatabaseUrl& database,
                                               const store::TablesOwner& owner);

}  // namespace inventory::server
