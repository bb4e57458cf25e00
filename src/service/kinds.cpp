#include "service/kinds.h"

#include <array>
#include <utility>

#include "service/adjustments.h"
#include "service/cancellations.h"
#include "service/confirmations.h"
#include "service/expiries.h"
#include "service/items.h"
#include "service/orders.h"

namespace inventory::service {
namespace {

using enum Outcome;

constexpr std::array kOrderOutcomes{accepted, held,       product_not_found, not_enough_stock,
                                    conflict, other_item, cancelled_first};
constexpr std::array kCancellationOutcomes{cancelled, conflict};
constexpr std::array kConfirmationOutcomes{confirmed,      hold_expired,    order_cancelled,
                                           order_rejected, order_not_found, conflict};
constexpr std::array kExpiryOutcomes{expired, hold_ended};
constexpr std::array kAdjustmentOutcomes{adjusted, not_enough_stock, product_not_found,
                                         inventory_changed, conflict};
constexpr std::array kItemOutcomes{item_added, conflict, product_exists};

template <class Kind>
std::unique_ptr<Handler> make(HandlerOptions options, store::Store& store, const Clock& clock,
                              Observer& observer) {
  return std::make_unique<BatchHandler<Kind>>(std::move(options), store, clock, observer);
}

constexpr std::array kKinds{
    KindRow{"order", "order_validate", "order_validate_response", true, kOrderOutcomes,
            &make<Orders>},
    KindRow{"item", "inventory_new_item", "inventory_new_item_response", false, kItemOutcomes,
            &make<Items>},
    KindRow{"cancellation", "order_cancel", "order_cancel_response", false, kCancellationOutcomes,
            &make<Cancellations>},
    KindRow{"confirmation", "order_confirm", "order_confirm_response", false, kConfirmationOutcomes,
            &make<Confirmations>},
    KindRow{"expiry", "order_validate.expiry", "", false, kExpiryOutcomes, &make<Expiries>},
    KindRow{"adjustment", "inventory_adjust", "inventory_adjust_response", false,
            kAdjustmentOutcomes, &make<Adjustments>},
};

}  // namespace

std::span<const KindRow> kinds() { return kKinds; }

}  // namespace inventory::service
