#pragma once

// Opens the store that a database URL names.

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "config/database_url.h"
#include "store/store.h"
#include "store/tables_owner.h"

namespace inventory::server {

// Does not connect: the first call that needs the database does. owner: who owns the tables.
std::unique_ptr<store::Store> open_store(const boost::asio::any_io_executor& executor,
                                         const config::DatabaseUrl& database,
                                         const store::TablesOwner& owner);

}  // namespace inventory::server
