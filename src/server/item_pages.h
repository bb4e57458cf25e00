#pragma once

// ItemPages: the items over HTTP.
//
//   GET /items/7                  200 {"id":7,"quantity":10,...}; 404
//   GET /items?after=7&limit=100  200 {"items":[...],"next":107}: the next `after`, null at the
//                                 end. A page of kPageBytesMax ends before its limit
//   ...&search=TEXT&sort=scarcity only those that are found, in an order (store/item_search.h);
//                                 `next` is a text then, unless the order is that of ids
//
// Invariants:
//   1. What the database does not answer is answered 503 with Retry-After. To find items it may
//      have to read all of them: for that there is a reader of its own, with more time.
//   2. What a row holds that cannot be shown is null, and the log names the row; a page does not
//      fail for it.
//
// Threads: the reader's.

#include <chrono>

#include "log/limit.h"
#include "ops/http.h"
#include "server/page_reader.h"

namespace inventory::server {

inline constexpr std::chrono::milliseconds kSearchTimeout{3'000};

class ItemPages {
 public:
  ItemPages(PageReader& reader, PageReader& searcher) : reader_(reader), searcher_(searcher) {}

  ops::Task<ops::HttpResponse> one(ops::HttpRequest request);   // /items/...
  ops::Task<ops::HttpResponse> page(ops::HttpRequest request);  // /items

 private:
  void report(const store::StoredItem& item);

  PageReader& reader_;
  PageReader& searcher_;
  log::Limit odd_rows_{5, std::chrono::minutes(1)};
};

}  // namespace inventory::server
