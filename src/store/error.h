#pragma once

// What a store answers when it cannot do what was asked: a value for each thing to do about it.

#include <expected>
#include <string>
#include <vector>

#include "domain/order.h"

namespace inventory::store {

enum class Fault {
  retryable,    // nothing was written; the same batch may pass at once (conflict, deadlock)
  in_doubt,     // the link broke after COMMIT was sent; repeat the batch: the ledger tells
  link_lost,    // no connection; nothing was written; repeat later
  unavailable,  // the server as a whole cannot work now (read-only, full, shutting down)
  locked,       // somebody else holds a lock that the batch needs; the rest of it may pass
  failing,  // something that the batch holds or touches cannot be done now, for a reason that is
            // neither the link's nor the server's as a whole (a trigger's error, a foreign key,
            // a row that cannot be read); the rest of it may pass, and it may pass later
  refused,  // the database refuses something that the batch holds; repeating cannot help
};

struct Error {
  Fault fault;
  std::string what;  // what and where, with the database's own words; never a credential
  // With locked and failing: whose rows it is about, where that is known. Empty: not known.
  std::vector<domain::ProductId> products = {};
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace inventory::store
