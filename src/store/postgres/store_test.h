#pragma once

// What the tests of the PostgreSQL adapter share: a schema, an event loop, and short names.

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "store/postgres/postgres_store.h"
#include "store/postgres/test_schema.h"

namespace inventory::store::postgres {

inline domain::Order order(std::int64_t id, domain::ProductId product, domain::Quantity quantity) {
  return {domain::OrderId(id), product, quantity};
}

inline domain::NewItem item(std::optional<std::string> identity, domain::Quantity quantity) {
  return {std::move(identity), quantity, "a shirt",
          domain::Timestamp(std::chrono::microseconds(1'764'000'000'123'456))};
}

inline const domain::OrderDecision kAccepted{.verdict = domain::Verdict::accepted};
inline const domain::OrderDecision kNotEnough{.verdict = domain::Verdict::not_enough_stock};
inline const domain::OrderDecision kNotFound{.verdict = domain::Verdict::product_not_found};

inline domain::OrderDecision replay(domain::OrderDecision decision) {
  decision.replayed = true;
  return decision;
}

using Orders = std::vector<domain::Order>;
using Decisions = std::vector<domain::OrderDecision>;
using Items = std::vector<domain::NewItem>;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestSchema::available()) {
      GTEST_SKIP() << TestSchema::kUnavailable;
    }
    schema = std::make_unique<TestSchema>();
  }

  std::unique_ptr<Store> store(PostgresOptions options) {
    return make_postgres_store(loop.get_executor(), std::move(options));
  }

  // A store over a schema that is up to date.
  std::unique_ptr<Store> migrated_store() {
    auto made = store(schema->options());
    EXPECT_TRUE(run(made->migrate()));
    return made;
  }

  template <class T>
  std::future<T> start(Task<T> task) {
    return boost::asio::co_spawn(loop, std::move(task), boost::asio::use_future);
  }

  template <class T>
  T finish(std::future<T> future) {
    run_until(
        [&] { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return future.get();
  }

  template <class T>
  T run(Task<T> task) {
    return finish(start(std::move(task)));
  }

  template <class Condition>
  void run_until(Condition met) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!met()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the condition was never met";
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(20));
    }
  }

  std::unique_ptr<TestSchema> schema;
  boost::asio::io_context loop;
};

}  // namespace inventory::store::postgres
