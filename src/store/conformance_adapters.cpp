#include "store/conformance.h"
#include "store/sqlite/sqlite_test_database.h"

namespace inventory::store::conformance {

std::vector<Adapter> adapters() { return {sqlite::sqlite_adapter()}; }

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::ValuesIn(adapters()),
                         [](const auto& adapter) { return adapter.param.name; });

}  // namespace inventory::store::conformance
