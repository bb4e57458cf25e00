#include "store/conformance.h"
#include "store/postgres/postgres_test_database.h"
#include "store/sqlite/sqlite_test_database.h"

namespace inventory::store::conformance {

INSTANTIATE_TEST_SUITE_P(Stores, Conformance,
                         testing::Values(sqlite::sqlite_adapter(), postgres::postgres_adapter()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
