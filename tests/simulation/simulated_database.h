#pragma once

// SimulatedDatabase: a PostgreSQL at READ COMMITTED, as far as a store needs it.
//
// It models: concurrent transactions; row locks and unique keys, for which a transaction waits
// until the other ends; lock timeouts; a server that continues a transaction, and keeps its locks,
// for a while after its client is gone; a COMMIT that takes effect between the client's request and
// the answer. Also bad rows: triggers that fail for a product or for some items, and rows that
// another session keeps locked.
//
// There is no CHECK (quantity >= 0), so that Checks sees a negative quantity.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "environment.h"
#include "store/error.h"

namespace inventory::simulation {

// The name of a row's lock.
inline std::string item_lock(domain::ProductId product) { return fmt::format("item {}", product); }

struct Session {
  explicit Session(LifePointer of) : life(std::move(of)) {}
  const LifePointer life;
  bool is_open = true;
};

struct Transaction {
  Transaction(boost::asio::io_context& context, std::shared_ptr<Session> of)
      : session(std::move(of)), woken(context, session->life) {}

  enum class State { open, committing, committed, rolled_back };

  bool is_open() const { return state == State::open || state == State::committing; }

  const std::shared_ptr<Session> session;
  State state = State::open;
  std::set<std::string> locks;   // of items and unique keys
  Arrivals* arrivals = nullptr;  // at its process, when it began
  std::uint64_t epoch = 0;
  domain::Timestamp began;  // by the database's clock; its now()
  // Written by COMMIT.
  std::map<domain::ProductId, domain::Stock> changed_stock;
  std::map<domain::LedgerKey, domain::LedgerEntry> new_entries;
  std::vector<domain::AddedItem> added_items;
  std::vector<domain::ItemAnswer> new_requests;
  std::vector<domain::Hold> opened;
  std::vector<domain::LedgerKey> closed;
  // What it has decided.
  std::vector<domain::Command> commands;
  std::vector<domain::Decision> decisions;

  Transaction* waits_for = nullptr;
  Signal woken;
};
using TransactionPointer = std::shared_ptr<Transaction>;

class SimulatedDatabase {
 public:
  explicit SimulatedDatabase(Environment& environment) : environment_(environment) {}

  bool is_up() const { return is_up_; }
  const Tables& tables() const { return environment_.tables; }
  domain::ProductId draw_id() { return ++environment_.tables.last_id; }
  void draw_beyond(domain::ProductId id) {
    environment_.tables.last_id = std::max(environment_.tables.last_id, id);
  }

  std::shared_ptr<Session> connect(const LifePointer& life);
  TransactionPointer begin(std::shared_ptr<Session> session);

  // Takes a row lock or a unique key; waits while another transaction has it. Returns false if that
  // took too long, or if the transaction was ended meanwhile.
  Task<bool> lock(TransactionPointer transaction, std::string name, Time longest);
  bool is_locked(const std::string& name, const TransactionPointer& by_other_than) const;

  void commit(const TransactionPointer& transaction);
  void roll_back(const TransactionPointer& transaction);
  // The client is gone or disconnected. The server notices later.
  void abandon(const TransactionPointer& transaction);

  // Faults.
  void go_down(Time how_long);
  void forget(const LifePointer& life);

  // Bad rows.
  void set_failing(domain::ProductId product, bool is_failing);
  void set_items_failing(bool are_failing) { are_items_failing_ = are_failing; }
  bool is_failing(domain::ProductId product) const { return failing_.contains(product); }
  bool are_items_failing() const { return are_items_failing_; }
  void keep_locked(domain::ProductId product, Time how_long);  // by another session
  void end_bad_things();

  void clear();

 private:
  Task<void> hold(std::string name, Time how_long);
  std::map<domain::ProductId, std::optional<domain::Stock>> seen_by(
      const Transaction& transaction) const;
  void write_holds(const Transaction& transaction);
  void end(const TransactionPointer& transaction, Transaction::State state);
  void check_for_deadlock(const Transaction& transaction);

  Environment& environment_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::vector<TransactionPointer> open_;
  std::map<std::string, Transaction*> locks_;
  bool is_up_ = true;
  std::set<domain::ProductId> failing_;
  bool are_items_failing_ = false;
  LifePointer others_ = std::make_shared<Life>();  // of the sessions of keep_locked()
  bool may_hold_ = true;
};

}  // namespace inventory::simulation
