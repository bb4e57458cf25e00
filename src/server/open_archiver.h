#pragma once

// Opens the archiver that a database URL names.

#include <memory>

#include "config/database_url.h"
#include "store/archiver.h"
#include "store/tables_owner.h"

namespace inventory::server {

// Does not connect: begin() does. owner: who owns the tables.
std::unique_ptr<store::Archiver> open_archiver(const config::DatabaseUrl& database,
                                               const store::TablesOwner& owner);

}  // namespace inventory::server
