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

enum class PartitionState : std::uint8_t {
  missing,       // there are no tables yet
  empty,         // made, and without rows
  being_filled,  // marked: they get the rows of the undivided stock
  filled,        // they have them
};

class Divider {
 public:
  Divider() = default;
  Divider(const Divider&) = delete;
  Divider& operator=(const Divider&) = delete;
  virtual ~Divider() = default;

  // Errors: unavailable if there is no undivided stock, if it is not migrated, or if it was moved
  // into another number of partitions.
  virtual Result<void> connect() = 0;

  // What is in the partition's schema. Until the undivided tables are renamed, nothing counts as
  // filled.
  // Errors: unavailable if the tables are another's, or if they have rows of their own, which
  // cannot be merged with the undivided ones.
  virtual Result<PartitionState> look(const std::string& schema,
                                      const domain::Partition& partition) = 0;

  // Marks tables that are empty as being filled. They are migrated.
  // Errors: as look(), and locked while somebody uses them.
  virtual Result<void> take(const std::string& schema, const domain::Partition& partition) = 0;

  // Renames the undivided tables, so that no instance decides by them any more, and marks them as
  // moved. Does nothing if they already are.
  // Errors: locked while somebody uses them.
  virtual Result<void> retire() = 0;

  // Copies the partition's rows from them. Its tables are marked as being filled.
  // Errors: unavailable if they are not, or have rows already; locked while somebody uses them.
  virtual Result<Filled> fill(const std::string& schema, const domain::Partition& partition) = 0;
};

// For the undivided stock on the search_path, to be moved into `count` partitions.
std::unique_ptr<Divider> make_divider(PostgresOptions options, std::uint32_t count);

}  // namespace inventory::store::postgres
