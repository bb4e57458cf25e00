#include "server/ledger_pages.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/ledger_json.h"
#include "server/page_answers.h"
#include "store/testing/empty_reader.h"

namespace inventory::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using StoredEntries = store::Result<std::vector<store::StoredEntry>>;

// What is asked, and what is answered; the test's.
struct Table {
  std::vector<store::StoredEntry> entries;  // of each product, in the order of their places
  std::optional<store::Fault> fault;
  store::OrderSearch asked;
};

class TableReader : public store::EmptyReader {
 public:
  explicit TableReader(Table& table) : table_(table) {}

  StoredEntries entries(domain::ProductId, const store::EntryPlace& before,
                        std::size_t count) override {
    if (table_.fault) return std::unexpected(store::Error{*table_.fault, "no"});
    std::vector<store::StoredEntry> page;
    for (const store::StoredEntry& entry : table_.entries) {
      const bool is_behind = !before.time || entry.place.version < before.version;
      if (is_behind && page.size() < count) page.push_back(entry);
    }
    return page;
  }

  StoredEntries entries_of_order(const store::OrderSearch& search) override {
    table_.asked = search;
    return entries(search.product, {}, 1'000);
  }

 private:
  Table& table_;
};

class LedgerPagesTest : public testing::Test {
 protected:
  // Orders with the ids `count` to 1.
  void fill(int count, const std::string& reason = "") {
    for (int id = count; id > 0; --id) {
      const std::string identity = "i" + std::to_string(id);
      table_.entries.push_back({.identity = identity,
                                .outcome = "accepted",
                                .reason = reason,
                                .place = {.time = "1", .version = id, .identity = identity}});
    }
  }

  ops::HttpResponse get(std::string_view target) {
    ops::HttpResponse response;
    const auto request = ops::make_request("GET", target);
    boost::asio::co_spawn(loop_,
                          LedgerPages::is_of_product(request.path) ? pages_.of_product(request)
                                                                   : pages_.of_order(request),
                          [&](const std::exception_ptr& error, ops::HttpResponse answer) {
                            if (error) std::rethrow_exception(error);
                            response = std::move(answer);
                            loop_.stop();
                          });
    loop_.restart();
    loop_.run();
    return response;
  }

  Table table_;
  boost::asio::io_context loop_{1};
  PageReader reader_{loop_.get_executor(),
                     [this] { return std::make_unique<TableReader>(table_); }};
  LedgerPages pages_{reader_};
};

std::string next_of(const ops::HttpResponse& response) {
  const std::size_t at = response.body.rfind(R"("next":)") + 7;
  std::string next = response.body.substr(at, response.body.rfind('}') - at);
  std::erase(next, '"');
  return next;
}

TEST_F(LedgerPagesTest, ShowAPageAndWhereTheNextBegins) {
  fill(5);
  const auto first = get("/items/7/ledger?limit=2");
  EXPECT_EQ(first.status, 200U);
  EXPECT_EQ(first.content_type, "application/json");
  EXPECT_TRUE(first.body.starts_with(R"({"product_id":7,"entries":[{"kind":"order","id":5,)"));
  const auto second = get("/items/7/ledger?limit=2&before=" + next_of(first));
  EXPECT_THAT(second.body, HasSubstr(R"("entries":[{"kind":"order","id":3,)"));
  const auto last = get("/items/7/ledger?limit=2&before=" + next_of(second));
  EXPECT_TRUE(last.body.ends_with("],\"next\":null}\n"));
  EXPECT_EQ(next_of(get("/items/7/ledger?limit=5")), "null");
  EXPECT_EQ(get("/items/7/ledger?before=" + place_text(table_.entries.back().place)).body,
            "{\"product_id\":7,\"entries\":[],\"next\":null}\n");
}

TEST_F(LedgerPagesTest, EndAPageThatHoldsTooManyBytesAndSayWhereTheNextBegins) {
  fill(300, std::string(1'000, 'x'));
  const auto first = get("/items/7/ledger?limit=1000");
  EXPECT_LE(first.body.size(), kPageBytesMax + 1'000);
  EXPECT_NE(next_of(first), "null");
  const auto shown = static_cast<int>(std::count(first.body.begin(), first.body.end(), '{') - 1);
  EXPECT_THAT(
      get("/items/7/ledger?before=" + next_of(first)).body,
      HasSubstr("\"entries\":[{\"kind\":\"order\",\"id\":" + std::to_string(300 - shown) + ","));
}

TEST_F(LedgerPagesTest, SayWhatIsWrongWithARequest) {
  EXPECT_EQ(get("/items/7/ledger").status, 404U);
  for (const char* target : {"/items/0/ledger", "/items/x/ledger", "/items/7/7/ledger",
                             "/items/9007199254740992/ledger"}) {
    EXPECT_EQ(get(target).status, 404U) << target;
  }
  EXPECT_FALSE(LedgerPages::is_of_product("/items/ledger"));
  EXPECT_FALSE(LedgerPages::is_of_product("/items//ledger/"));
  for (const char* target : {"/items/7/ledger?limit=0", "/items/7/ledger?limit=1001",
                             "/items/7/ledger?before=x", "/items/7/ledger?before="}) {
    EXPECT_EQ(get(target).status, 400U) << target;
  }
  table_.fault = store::Fault::refused;  // a place that the store does not know
  EXPECT_EQ(get("/items/7/ledger?before=312f312f312f").status, 400U);
  table_.fault = store::Fault::failing;
  EXPECT_EQ(get("/items/7/ledger").status, 503U);
  EXPECT_EQ(get("/orders/1?product_id=7").status, 503U);
}

TEST_F(LedgerPagesTest, FindAnOrderByAnIdOfEitherType) {
  fill(1);
  EXPECT_EQ(get("/orders/42?product_id=7").status, 200U);
  EXPECT_EQ(table_.asked.product, 7);
  EXPECT_THAT(table_.asked.ids, ElementsAre(domain::OrderId(42), domain::OrderId("42")));
  EXPECT_TRUE(table_.asked.lines.empty());
  get("/orders/a%2Fb%20%C3%A9+/c?product_id=7&line_id=%3Cb%3E+1");
  EXPECT_THAT(table_.asked.ids, ElementsAre(domain::OrderId("a/b é+/c")));
  EXPECT_THAT(table_.asked.lines, ElementsAre(domain::OrderId("<b> 1")));
  get("/orders/?order_id=%2E%2e&product_id=7");
  EXPECT_THAT(table_.asked.ids, ElementsAre(domain::OrderId("..")));
  EXPECT_TRUE(
      get("/orders/1?product_id=7")
          .body.starts_with(
              R"({"product_id":7,"orders":[{"order_id":1,"line_id":null,"state":"accepted","held":0,)"));
}

TEST_F(LedgerPagesTest, NeedAProductAndAnIdThatAnOrderCanHave) {
  fill(1);
  for (const char* target : {"/orders/1", "/orders/1?product_id=", "/orders/1?product_id=x"}) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 400U) << target;
    EXPECT_THAT(response.body, HasSubstr("product_id takes")) << target;
  }
  for (const std::string target :
       {"/orders/?product_id=7", "/orders/%ff?product_id=7", "/orders/a%00?product_id=7",
        "/orders/1?product_id=7&line_id="}) {
    EXPECT_EQ(get(target).status, 404U) << target;
  }
  for (const std::string target :
       {"/orders/%?product_id=7", "/orders/%0g?product_id=7", "/orders/1?product_id=7&line_id=%"}) {
    EXPECT_EQ(get(target).status, 400U) << target;
  }
  EXPECT_EQ(get("/orders/" + std::string(129, 'x') + "?product_id=7").status, 404U);
  table_.entries.clear();
  EXPECT_EQ(get("/orders/1?product_id=7").status, 404U);
}

TEST_F(LedgerPagesTest, SayWhereAnOrderHasMoreLinesThanAPageHolds) {
  for (int line = 0; line < 200; ++line) {
    table_.entries.push_back(
        {.identity = domain::order_identity(domain::OrderId(1), domain::OrderId(line)),
         .outcome = "accepted",
         .reason = std::string(1'000, 'x'),
         .place = {}});
  }
  const auto response = get("/orders/1?product_id=7");
  EXPECT_LE(response.body.size(), kPageBytesMax + 1'000);
  EXPECT_TRUE(response.body.ends_with("],\"more\":true}\n"));
}

}  // namespace
}  // namespace inventory::server
