#include "order_stream.h"

#include <fmt/format.h>

namespace inventory::bench {
namespace {

// The k-th product is ordered in proportion to 1/k.
std::discrete_distribution<std::int64_t> zipf(std::int64_t products) {
  std::vector<double> weights;
  for (std::int64_t rank = 1; rank <= products; ++rank) {
    weights.push_back(1.0 / static_cast<double>(rank));
  }
  return {weights.begin(), weights.end()};
}

}  // namespace

OrderStream::OrderStream(const StreamOptions& options)
    : options_(options),
      random_(options.seed),
      uniform_(1, options.products),
      repeats_(options.duplicates) {
  if (options.skew == Skew::zipf) {
    zipf_ = zipf(options.products);
  }
}

std::string OrderStream::next() {
  if (options_.duplicates > 0 && !recent_.empty() && repeats_(random_)) {
    return recent_[random_() % recent_.size()];
  }
  const std::uint64_t high = random_();
  const std::uint64_t low = random_();
  std::string body = next_body(fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32U,
                                           (high >> 16U) & 0xffffU, high & 0xfffU,
                                           (low >> 48U) & 0xfffU, low & 0xffffffffffffU));
  if (options_.duplicates > 0) {
    if (recent_.size() < kRecentMax) {
      recent_.push_back(body);
    } else {
      recent_[oldest_] = body;
      oldest_ = (oldest_ + 1) % kRecentMax;
    }
  }
  return body;
}

std::string OrderStream::next_body(const std::string& id) {
  if (options_.kind == Kind::adjustment) {
    return fmt::format(R"({{"adjustment_id": "{}", "product_id": {}, "change": 1}})", id,
                       next_product());
  }
  const std::string hold = options_.hold_seconds > 0
                               ? fmt::format(R"(, "hold_seconds": {})", options_.hold_seconds)
                               : "";
  if (options_.items == 1) {
    return fmt::format(R"({{"order_id": "{}", "product_id": {}, "quantity": 1{}}})", id,
                       next_product(), hold);
  }
  std::string items;
  for (int i = 0; i < options_.items; ++i) {
    items +=
        fmt::format(R"({}{{"product_id": {}, "quantity": 1}})", i > 0 ? ", " : "", next_product());
  }
  return fmt::format(R"({{"order_id": "{}", "items": [{}]{}}})", id, items, hold);
}

std::int64_t OrderStream::next_product() {
  const auto place = options_.skew == Skew::zipf ? 1 + zipf_(random_) : uniform_(random_);
  const auto first = options_.partition == 0 ? options_.partitions : options_.partition;
  return (place - 1) * options_.partitions + first;
}

}  // namespace inventory::bench
