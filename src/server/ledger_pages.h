#pragma once

// LedgerPages: the ledger over HTTP.
//
//   GET /items/7/ledger?before=...&limit=100  200 {"product_id":7,"entries":[...],"next":"..."},
//                                             newest first; `next` is the next `before`, null at
//                                             the end; 404 if the product has no entry. A page that
//                                             reaches kPageBytesMax has fewer than `limit`
//   GET /orders/A-17?product_id=7             200 {"product_id":7,"orders":[...],"more":false}; or
//                                             404. One element for each line, and each type of the
//                                             id, unless `line_id` names one; `more`: there are
//                                             others, which do not fit into kPageBytesMax
//   GET /orders/?order_id=A-17&product_id=7   the same
//
// If the database does not answer, the page answers 503 with Retry-After.
//
// Threads: the reader's.

#include <string_view>

#include "ops/http.h"
#include "server/page_reader.h"

namespace inventory::server {

class LedgerPages {
 public:
  explicit LedgerPages(PageReader& reader) : reader_(reader) {}

  static bool is_of_product(std::string_view path);  // /items/.../ledger

  ops::Task<ops::HttpResponse> of_product(ops::HttpRequest request);
  ops::Task<ops::HttpResponse> of_order(ops::HttpRequest request);  // /orders/...

 private:
  PageReader& reader_;
};

}  // namespace inventory::server
