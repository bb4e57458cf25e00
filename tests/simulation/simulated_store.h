#pragma once

// SimulatedStore: the store port over the simulated database, with the steps of the PostgreSQL
// adapter: lock the items in the order of ids; then read earlier decisions; decide with the real
// domain; write in the order of keys; COMMIT. Every step takes time and may fail. Without waiting
// for locks, it takes those that are free, and names the products of the others.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "environment.h"
#include "simulated_database.h"
#include "store/store.h"

namespace inventory::simulation {

class SimulatedStore : public store::Store {
 public:
  SimulatedStore(Environment& environment, SimulatedDatabase& database, LifePointer life)
      : environment_(environment), database_(database), life_(std::move(life)) {}

  // Where orders arrive, to check that they are decided in that order.
  void watch_orders(Arrivals& orders) { orders_ = &orders; }

  Task<store::Result<int>> migrate() override { co_return 0; }
  Task<store::Result<void>> ready() override;
  Task<store::Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, store::Locks locks,
      std::vector<domain::StockNews>* news) override;
  Task<store::Result<void>> try_another(std::span<const domain::ProductId> products) override;
  Task<store::Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                           std::size_t count) override;

 private:
  Task<store::Result<std::shared_ptr<Session>>> connect();
  Task<store::Result<TransactionPointer>> begin();
  Task<store::Result<void>> step(TransactionPointer transaction, const char* what);
  Task<store::Result<void>> lock(TransactionPointer transaction, std::string name,
                                 store::Locks locks = store::Locks::wait);
  Task<store::Result<void>> commit(TransactionPointer transaction);
  Task<store::Result<void>> lock_items(TransactionPointer transaction, const domain::Needs& needs,
                                       store::Locks locks, domain::Books& books);
  void read(const domain::Needs& needs, domain::Books& books);
  Task<store::Result<void>> write(TransactionPointer transaction, const domain::Changes& changes);
  Task<store::Result<void>> write_entries(TransactionPointer transaction,
                                          const domain::Changes& changes);
  void end(const TransactionPointer& transaction);
  std::unexpected<store::Error> fail(const TransactionPointer& transaction, store::Fault fault,
                                     std::string what,
                                     std::vector<domain::ProductId> products = {});

  Environment& environment_;
  SimulatedDatabase& database_;
  LifePointer life_;
  Arrivals* orders_ = nullptr;
  std::vector<std::shared_ptr<Session>> idle_;
};

}  // namespace inventory::simulation
