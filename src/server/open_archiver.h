#pragma once

// The archiver that a database URL names.

#include <memory>

#include "config/database_url.h"
#include "store/archiver.h"

namespace inventory::server {

// Does not connect yet: begin() does.
std::unique_ptr<store::Archiver> open_archiver(const config::DatabaseUrl& database);

}  // namespace inventory::server
