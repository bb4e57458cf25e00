// A process for tests: opens the store on the file in its argument, and decides one order after the
// other until it is killed. It first prints the id of the product, then a line for each committed
// order.

#include <cstdint>
#include <cstdio>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "store/sqlite/sqlite_store.h"
#include "store/testing/one_kind.h"

namespace {

using namespace inventory;

void print(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

store::Task<void> decide_for_good(store::Store& store) {
  if (const auto migrated = co_await store.migrate(); !migrated) {
    print(migrated.error().what);
    co_return;
  }
  const std::vector<domain::NewItem> items{{std::nullopt, 1'000'000, std::nullopt, {}}};
  const auto added = co_await add_items(store, items);
  if (!added) {
    print(added.error().what);
    co_return;
  }
  const auto product = added->at(0).item.id;
  print(fmt::to_string(product));
  for (std::int64_t id = 1;; ++id) {
    const std::vector<domain::Order> orders{{domain::OrderId(id), product, 1}};
    const auto decided = co_await decide_orders(store, orders);
    if (!decided) {
      print(decided.error().what);
      co_return;
    }
    print(fmt::to_string(id));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  boost::asio::io_context loop;
  const auto store = store::sqlite::make_sqlite_store(loop.get_executor(), {.path = argv[1]});
  boost::asio::co_spawn(loop, decide_for_good(*store), [](const std::exception_ptr& failure) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  });
  loop.run();
  return 1;
}
