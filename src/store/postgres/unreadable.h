#pragma once

// Unreadable: rows that somebody else wrote and that cannot be used for a decision. All that a
// batch meets are collected, so that their products can be set aside together.

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "store/error.h"

namespace inventory::store::postgres {

class Unreadable {
 public:
  // `row` names it within its table: "id 7". `what`: the column and its value.
  void add(std::string_view table, std::string_view row, std::string_view what) {
    if (++count_ == 1) {
      first_ = fmt::format("table {}, {}: {}", table, row, what);
    }
  }

  void add(domain::ProductId product, std::string_view table, std::string_view row,
           std::string_view what) {
    add(table, row, what);
    products_.push_back(product);
  }

  bool empty() const { return count_ == 0; }

  Error error(std::string_view where) && {
    return {Fault::failing,
            fmt::format("PostgreSQL {}: {}{}", where, first_,
                        count_ == 1 ? "" : fmt::format("; and {} rows more", count_ - 1)),
            std::move(products_)};
  }

 private:
  std::size_t count_ = 0;
  std::string first_;
  std::vector<domain::ProductId> products_;
};

}  // namespace inventory::store::postgres
