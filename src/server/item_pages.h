#pragma once

// ItemPages: the items over HTTP.
//
//   GET /items/7                  200 {"id":7,"quantity":10,...}; 404
//   GET /items?after=7&limit=100  200 {"items":[...],"next":107}: the next `after`, null at the
//                                 end. A page that reaches kPageBytesMax has fewer than `limit`
//   ...&search=TEXT&sort=scarcity only the items found, sorted (store/item_search.h); `next` is
//                                 then a text, unless they are sorted by id
//
// Invariants:
//   1. If the database does not answer, the page answers 503 with Retry-After. A search may have to
//      read all items, so it has a reader of its own, with a longer timeout.
//   2. A value that cannot be shown is null, and the log names its row; the page does not fail.
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
