#pragma once

// Errors of a store: one value for each way to handle them.

#include <expected>
#include <string>
#include <vector>

#include "domain/order.h"

namespace inventory::store {

enum class Fault {
  retryable,    // nothing was written; the same batch may succeed at once (conflict, deadlock)
  in_doubt,     // the link broke after COMMIT was sent; repeat the batch: the ledger knows
  link_lost,    // no connection; nothing was written; repeat later
  unavailable,  // the server as a whole cannot serve now (read-only, full, shutting down)
  locked,       // somebody else holds a lock that the batch needs; the rest of it may succeed
  failing,  // part of the batch cannot be done now, though link and server work (a trigger's error,
            // a foreign key, a row that cannot be read); the rest may succeed now, and that part
            // later
  refused,  // the database refuses part of the batch; repeating cannot help
};

struct Error {
  Fault fault;
  std::string what;  // what and where, with the database's own words; never a credential
  // With locked and failing: the products whose rows are the cause. Empty: not known.
  std::vector<domain::ProductId> products = {};
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace inventory::store
