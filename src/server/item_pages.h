#pragma once

// ItemPages: the items over HTTP.
//
//   GET /items/7                  200 {"id":7,"quantity":10,...}; 404
//   GET /items?after=7&limit=100  200 {"items":[...],"next":107}: the next `after`, null at the
//   end.
//                                 A page of kPageBytesMax ends before its limit
//
// Invariants:
//   1. What the database does not answer is answered 503 with Retry-After.
//   2. What a row holds that cannot be shown is null, and the log names the row; a page does not
//      fail for it.
//
// Threads: the reader's.

#include "log/limit.h"
#include "ops/http.h"
#include "server/page_reader.h"

namespace inventory::server {

class ItemPages {
 public:
  explicit ItemPages(PageReader& reader) : reader_(reader) {}

  ops::Task<ops::HttpResponse> one(ops::HttpRequest request);   // /items/...
  ops::Task<ops::HttpResponse> page(ops::HttpRequest request);  // /items

 private:
  void report(const store::StoredItem& item);

  PageReader& reader_;
  log::Limit odd_rows_{5, std::chrono::minutes(1)};
};

}  // namespace inventory::server
