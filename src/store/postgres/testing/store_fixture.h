#pragma once

// Shared by the tests of the PostgreSQL adapter: a schema, an event loop, and short names.

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "store/postgres/postgres_store.h"
#include "store/postgres/testing/postgres_test_database.h"
#include "store/testing/conformance.h"

namespace inventory::store::postgres {

using conformance::kAccepted;
using conformance::kNotEnough;
using conformance::kNotFound;
using conformance::order;
using conformance::replay;

using Orders = std::vector<domain::Order>;
using Decisions = std::vector<domain::OrderDecision>;
using Items = std::vector<domain::NewItem>;

inline domain::NewItem item(std::optional<std::string> identity, domain::Quantity quantity) {
  return {std::move(identity), quantity, "a shirt",
          domain::Timestamp(std::chrono::microseconds(1'764'000'000'123'456))};
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!PostgresTestDatabase::available()) {
      GTEST_SKIP() << PostgresTestDatabase::kUnavailable;
    }
    schema = std::make_unique<PostgresTestDatabase>();
  }

  std::unique_ptr<Store> store(PostgresOptions options) {
    return make_postgres_store(loop.get_executor(), std::move(options));
  }

  // A store with an up-to-date schema.
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

  // Runs the event loop until a condition outside it is met.
  template <class Condition>
  void run_until(Condition met) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!met()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the condition was never met";
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(2));
    }
  }

  std::unique_ptr<PostgresTestDatabase> schema;
  boost::asio::io_context loop;
};

}  // namespace inventory::store::postgres
