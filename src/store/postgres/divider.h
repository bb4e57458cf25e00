#pragma once

// Divider: moves an undivided stock into partitions in the same database (docs/scale.md). The old
// tables are renamed and kept; nothing reads them any more.
//
// If killed, it resumes when started again: each partition is filled in one transaction, which also
// records that it is filled.
//
// Threads: one. Blocks: every function.
// Errors:  values of store::Error.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "store/error.h"
#include "store/postgres/postgres_store.h"

namespace inventory::store::postgres {

struct Filled {
  bool is_new = true;  // else it was filled before, and nothing was done
  std::size_t items = 0;
  std::size_t entries = 0;
  std::size_t requests = 0;
  std::size_t holds = 0;
};

class Divider {
 public:
  Divider() = default;
  Divider(const Divider&) = delete;
  Divider& operator=(const Divider&) = delete;
  virtual ~Divider() = default;

  virtual Result<void> connect() = 0;

  // Whether the partition in this schema has its rows.
  virtual Result<bool> is_filled(const std::string& schema, const domain::Partition& partition) = 0;

  // Renames the undivided tables, so that no instance decides by them any more, and marks them as
  // moved into `count` partitions. Does nothing if they already are.
  // Errors: locked while somebody uses them; unavailable if they are not migrated, or were moved
  // into another number of partitions.
  virtual Result<void> retire(std::uint32_t count) = 0;

  // Copies the partition's rows from them. Its tables exist, marked as being filled.
  virtual Result<Filled> fill(const std::string& schema, const domain::Partition& partition) = 0;
};

// For the undivided stock on the search_path.
std::unique_ptr<Divider> make_divider(PostgresOptions options);

}  // namespace inventory::store::postgres
