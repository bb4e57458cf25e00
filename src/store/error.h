#pragma once

// What a store answers when it cannot do what was asked: a value for each thing to do about it.

#include <expected>
#include <string>

namespace inventory::store {

enum class Fault {
  retryable,    // nothing was written; the same batch may pass at once (conflict, deadlock)
  in_doubt,     // the link broke after COMMIT was sent; repeat the batch: the ledger tells
  link_lost,    // no connection; nothing was written; repeat later
  unavailable,  // the database answers but cannot work now (read-only, full, shutting down)
  refused,      // the database refuses something that this batch holds; repeating cannot help
};

struct Error {
  Fault fault;
  std::string what;  // what and where, with the database's own words; never a credential
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace inventory::store
