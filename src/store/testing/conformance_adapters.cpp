#include "store/postgres/testing/postgres_test_database.h"
#include "store/sqlite/testing/sqlite_test_database.h"
#include "store/testing/conformance.h"

namespace inventory::store::conformance {

INSTANTIATE_TEST_SUITE_P(Stores, Conformance,
                         testing::Values(sqlite::sqlite_adapter(), postgres::postgres_adapter()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
