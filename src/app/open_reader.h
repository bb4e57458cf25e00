#pragma once

// The reader that a database URL names.

#include <memory>

#include "app/database_url.h"
#include "store/reader.h"

namespace inventory::app {

// Does not connect yet: begin() does.
std::unique_ptr<store::Reader> open_reader(const DatabaseUrl& database);

}  // namespace inventory::app
