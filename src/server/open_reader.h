#pragma once

// Opens the reader that a database URL names.

#include <chrono>
#include <memory>
#include <optional>

#include "config/database_url.h"
#include "store/reader.h"
#include "store/tables_owner.h"

namespace inventory::server {

// Does not connect: begin() does. owner: who owns the tables. deadline: of connecting and of each
// call; in SQLite, of all calls after one begin(). The default is the adapter's.
std::unique_ptr<store::Reader> open_reader(const config::DatabaseUrl& database,
                                           const store::TablesOwner& owner,
                                           std::optional<std::chrono::milliseconds> deadline = {});

}  // namespace inventory::server
