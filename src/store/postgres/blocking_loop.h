#pragma once

// BlockingLoop: an event loop for programs that do nothing else meanwhile: runs one task at a time
// to completion.
//
// Threads: one. Blocks: run(), until the task ends; its deadlines bound that.

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

  // Returns what the task returns, or throws what it throws.
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
