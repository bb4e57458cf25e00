#include "domain/order.h"

namespace inventory::domain {

std::string OrderId::ledger_identity() const {
  return (std::holds_alternative<std::int64_t>(value_) ? "i" : "s") + display();
}

std::string OrderId::display() const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    return std::to_string(*number);
  }
  return std::get<std::string>(value_);
}

}  // namespace inventory::domain
