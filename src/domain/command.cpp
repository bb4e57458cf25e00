#include "domain/command.h"

namespace inventory::domain {

Needs needs_of(std::span<const Command> commands) {
  Needs needs;
  needs.products.reserve(commands.size());
  needs.entries.reserve(commands.size());
  for (const Command& command : commands) {
    std::visit([&](const auto& one) { add_needs(one, needs); }, command);
  }
  needs.sort();
  return needs;
}

std::vector<Decision> decide_all(std::span<const Command> commands, Books& books) {
  std::vector<Decision> decisions;
  decisions.reserve(commands.size());
  for (const Command& command : commands) {
    std::visit([&](const auto& one) { decisions.emplace_back(decide(one, books)); }, command);
  }
  return decisions;
}

std::vector<ProductId> products_of(const Command& command) {
  return std::visit([](const auto& one) { return products_of(one); }, command);
}

Outcome outcome_of(const Decision& decision) {
  return std::visit([](const auto& one) { return outcome_of(one); }, decision);
}

bool is_replayed(const Decision& decision) {
  return std::visit([](const auto& one) { return one.replayed; }, decision);
}

bool may_be_another_line(const Decision& decision) {
  if (const auto* order = std::get_if<OrderDecision>(&decision)) return order->may_be_another_line;
  const auto* basket = std::get_if<BasketDecision>(&decision);
  return basket != nullptr && basket->may_be_another_line;
}

}  // namespace inventory::domain
