#pragma once

// BlockingLoop: an event loop for programs that do nothing else meanwhile: runs one task at a time
// to its end.
//
// Threads: one. Blocks: run(), as long as the task has deadlines for.

#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "store/store.h"

namespace inventory::store::postgres {

class BlockingLoop {
 public:
  boost::asio::any_io_executor executor() { return loop_.get_executor(); }

  // What the task returns, or throws.
  template <class T>
  T run(Task<T> task) {
    auto result = boost::asio::co_spawn(loop_, std::move(task), boost::asio::use_future);
    loop_.restart();
    loop_.run();
    return result.get();
  }

 private:
  boost::asio::io_context loop_{1};
};

}  // namespace inventory::store::postgres
