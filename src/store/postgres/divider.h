#pragma once

// Divider: moves an undivided stock into the partitions of the same database (docs/scale.md). Its
// tables stay, under other names, which nobody reads any more.
//
// Killed at any time and started again it goes on where it was: each partition is filled in one
// transaction, which also notes that it is.
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
  bool is_new = true;  // else it had been filled before, and nothing was done
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
  // moved into so many partitions. Nothing to do where they are.
  // Errors: locked while somebody uses them; unavailable where they are not migrated, or moved into
  // another count.
  virtual Result<void> retire(std::uint32_t count) = 0;

  // Copies what a partition has of them. Its tables have been made to be filled.
  virtual Result<Filled> fill(const std::string& schema, const domain::Partition& partition) = 0;
};

// Of the undivided stock where search_path leads.
std::unique_ptr<Divider> make_divider(PostgresOptions options);

}  // namespace inventory::store::postgres
