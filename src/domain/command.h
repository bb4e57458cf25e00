#pragma once

// Command: a request of any kind, as a store decides it. Each kind is a type with four functions
// (see order.h): what it needs, how it is decided, which products it is about, and the outcome.

#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "domain/adjustment.h"
#include "domain/basket.h"
#include "domain/books.h"
#include "domain/cancellation.h"
#include "domain/confirmation.h"
#include "domain/expiry.h"
#include "domain/item.h"
#include "domain/news.h"
#include "domain/order.h"

namespace inventory::domain {

using Command =
    std::variant<Order, Basket, Cancellation, Confirmation, Expiry, Adjustment, NewItem>;
using Decision =
    std::variant<OrderDecision, BasketDecision, CancellationDecision, ConfirmationDecision,
                 ExpiryDecision, AdjustmentDecision, ItemDecision>;

// The needs of all commands, sorted.
Needs needs_of(std::span<const Command> commands);

// Returns one decision per command, in order, each seeing the changes of those before it. `news`,
// unless it is null, gets one entry for each product that was changed or that a repeated request is
// about.
std::vector<Decision> decide_all(std::span<const Command> commands, Books& books,
                                 std::vector<StockNews>* news = nullptr);

// The products whose stock it may read or change, as far as they are known beforehand.
std::vector<ProductId> products_of(const Command& command);

Outcome outcome_of(const Decision& decision);
bool is_replayed(const Decision& decision);

// Of an order: see OrderDecision.
bool may_be_another_line(const Decision& decision);

}  // namespace inventory::domain
