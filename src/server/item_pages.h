#pragma once

// ItemPages: the items over HTTP.
//
//   GET /items/7                  200 {"id":7,"quantity":10,...}; 404
//   GET /items?after=7&limit=100  200 {"items":[...],"next":107}: the next `after`, null at the
//   end.
//                                 A page of kPageBytesMax ends before its limit
//
// Invariants:
//   1. The flow does not notice: a read has a thread and a connection of its own, which it closes,
//      so that no transaction stays open. One read runs at a time.
//   2. At most kItemReadsMax requests wait; what is more, or takes longer than kItemReadTimeout, or
//      fails in the database, is answered 503 with Retry-After.
//   3. What a row holds that cannot be shown is null, and the log names the row; a page does not
//      fail for it.
//
// Threads: one executor, on which it is used and which runs until it is destroyed.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>

#include "log/limit.h"
#include "ops/http.h"
#include "store/reader.h"

namespace inventory::server {

inline constexpr std::size_t kItemReadsMax = 16;
inline constexpr std::chrono::milliseconds kItemReadTimeout{700};
inline constexpr std::size_t kItemsPerPageMax = 1'000;
inline constexpr std::size_t kPageBytesMax = std::size_t{128} * 1024;  // unless one item has more

class ItemPages {
 public:
  using OpenReader = std::function<std::unique_ptr<store::Reader>()>;

  // `open` is called on the thread.
  ItemPages(const boost::asio::any_io_executor& executor, OpenReader open);
  ItemPages(const ItemPages&) = delete;
  ItemPages& operator=(const ItemPages&) = delete;
  ~ItemPages();

  ops::Task<ops::HttpResponse> one(ops::HttpRequest request);   // /items/...
  ops::Task<ops::HttpResponse> page(ops::HttpRequest request);  // /items

 private:
  using Items = store::Result<std::vector<store::StoredItem>>;

  void report(const store::StoredItem& item);

  // An error also if it was not even tried.
  ops::Task<Items> read(domain::ProductId after, std::size_t count);

  boost::asio::any_io_executor executor_;
  OpenReader open_;
  std::size_t reads_ = 0;  // waiting or under way
  log::Limit odd_rows_{5, std::chrono::minutes(1)};
  boost::asio::thread_pool thread_{1};
};

}  // namespace inventory::server
