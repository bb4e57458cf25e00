#pragma once

// OrderStream: generates the orders of a load, with new ids, products chosen by the skew, and a
// share of repetitions of recent orders; or adjustments. The same seed gives the same stream: sent
// to order_cancel, it cancels its orders; sent to order_confirm, it confirms its holds.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace inventory::bench {

enum class Skew { uniform, zipf };

enum class Kind { order, adjustment };

struct StreamOptions {
  Kind kind = Kind::order;
  int items = 1;                  // of an order
  std::int64_t hold_seconds = 0;  // of an order; 0: it does not hold
  std::int64_t products = 1'000;  // ids 1 to this, or as many ids of the partition
  std::int64_t partitions = 1;    // how many there are; and which one the load is for
  std::int64_t partition = 0;
  Skew skew = Skew::uniform;
  double duplicates = 0;  // share of orders that repeat one of the last kRecentMax
  std::uint64_t seed = std::random_device{}();
};

class OrderStream {
 public:
  explicit OrderStream(const StreamOptions& options);

  // The body of the next order. Its id is a random UUID, as existing clients send it.
  std::string next();

 private:
  static constexpr std::size_t kRecentMax = 1'000;

  std::string next_body(const std::string& id);
  std::int64_t next_product();

  StreamOptions options_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::int64_t> uniform_;
  std::discrete_distribution<std::int64_t> zipf_;
  std::bernoulli_distribution repeats_;
  std::vector<std::string> recent_;  // a ring
  std::size_t oldest_ = 0;
};

}  // namespace inventory::bench
