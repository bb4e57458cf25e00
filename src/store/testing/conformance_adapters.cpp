#include "store/postgres/testing/postgres_test_database.h"
#include "store/sqlite/testing/sqlite_test_database.h"
#include "store/testing/conformance.h"

namespace inventory::store::conformance {

std::vector<Adapter> adapters() { return {sqlite::sqlite_adapter(), postgres::postgres_adapter()}; }

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::ValuesIn(adapters()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
