#include "domain/order.h"

namespace inventory::domain {

std::string OrderId::ledger_identity() const {
  if (const auto* text = std::get_if<std::string>(&value_)) {
    std::string identity;
    identity.reserve(1 + text->size());
    return identity.append(1, 's').append(*text);
  }
  return "i" + display();
}

std::string Order::ledger_identity() const {
  if (!line) {
    return id.ledger_identity();
  }
  const std::string line_identity = line->ledger_identity();
  return "l" + std::to_string(line_identity.size()) + ":" + line_identity + id.ledger_identity();
}

std::string OrderId::display() const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    return std::to_string(*number);
  }
  return std::get<std::string>(value_);
}

}  // namespace inventory::domain
