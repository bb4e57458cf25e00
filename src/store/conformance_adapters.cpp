#include "store/conformance.h"
#include "store/postgres/postgres_test_database.h"
#include "store/sqlite/sqlite_test_database.h"

namespace inventory::store::conformance {

std::vector<Adapter> adapters() {
  std::vector<Adapter> all{sqlite::sqlite_adapter()};
  if (postgres::PostgresTestDatabase::available()) {
    all.push_back(postgres::postgres_adapter());
  }
  return all;
}

// Says so where the suite did not run on PostgreSQL.
TEST(ConformanceOfPostgres, WasTested) {
  if (!postgres::PostgresTestDatabase::available()) {
    GTEST_SKIP() << postgres::PostgresTestDatabase::kUnavailable;
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::ValuesIn(adapters()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
