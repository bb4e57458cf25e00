#include "service/delivery_limit.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/headers.h"

namespace inventory::service {

void DeliveryLimit::examined(const amqp::QueueTerms& terms) {
  const auto before = limit_;
  limit_.reset();
  warn_at_ = kWarnAt;
  if (terms.may_drop() && terms.delivery_limit) {
    limit_ = terms.delivery_limit;
    warn_at_ = std::clamp<std::int64_t>(*limit_ / 2, 1, kWarnAt);
  }
  if (limit_ && limit_ != before) spdlog::warn("{}: {}", queue_, note());
}

void DeliveryLimit::delivered(std::span<const amqp::Delivery> requests) {
  std::int64_t most = 0;
  for (const amqp::Delivery& request : requests) {
    const auto& headers = request.properties.headers;
    if (!request.redelivered || !headers) continue;
    most = std::max(most, headers->find_integer(contract::headers::kDeliveryCount).value_or(0));
  }
  if (most >= warn_at_) warn(most);
}

std::string DeliveryLimit::note() const {
  if (!limit_) return {};
  return fmt::format(
      "the broker drops a request that was delivered more than {} times (x-delivery-limit of the "
      "queue, or RabbitMQ's default), unless a policy says otherwise, and nobody is answered",
      *limit_);
}

void DeliveryLimit::warn(std::int64_t before) {
  throttle_.warn("deliveries",
                 fmt::format("{}: a request was delivered {} times before; {}", queue_, before,
                             limit_ ? note() : "the broker drops it where a policy sets a limit"));
}

}  // namespace inventory::service
