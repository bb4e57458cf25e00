#pragma once

// The reader that a database URL names.

#include <chrono>
#include <memory>
#include <optional>

#include "config/database_url.h"
#include "store/reader.h"

namespace inventory::server {

// Does not connect yet: begin() does. deadline: of connecting and of each call, where the database
// is another process; otherwise the adapter's own.
std::unique_ptr<store::Reader> open_reader(const config::DatabaseUrl& database,
                                           std::optional<std::chrono::milliseconds> deadline = {});

}  // namespace inventory::server
