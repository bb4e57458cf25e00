#pragma once

// EmptyReader: a reader of an empty database, for tests that override little of it.

#include "store/reader.h"

namespace inventory::store {

class EmptyReader : public Reader {
 public:
  Result<void> begin() override { return {}; }
  void end() override {}
  Result<std::vector<Amount>> stock(domain::ProductId, std::size_t) override { return {}; }
  Result<std::vector<StoredItem>> items(domain::ProductId, std::size_t, std::size_t) override {
    return {};
  }
  Result<std::vector<StoredItem>> find_items(const ItemSearch&, std::size_t, std::size_t) override {
    return {};
  }
  Result<std::optional<LedgerRange>> ledger_range() override { return std::nullopt; }
  Result<LedgerPart> ledger(const LedgerPlace&, std::size_t) override { return {}; }
  Result<std::vector<OpenHold>> holds(const LedgerPlace&, std::size_t) override { return {}; }
  Result<HoldCounts> count_holds() override { return {}; }
  Result<std::vector<StoredEntry>> entries(domain::ProductId, const EntryPlace&,
                                           std::size_t) override {
    return {};
  }
  Result<std::vector<StoredEntry>> entries_of_order(const OrderSearch&) override { return {}; }
};

}  // namespace inventory::store
