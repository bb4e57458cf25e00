#include "server/item_pages.h"

#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "server/page_answers.h"
#include "store/item_search.h"
#include "store/testing/empty_reader.h"

namespace inventory::server {
namespace {

// Items with the ids 1 to 5; fails, or waits to be let go.
class FiveItemsReader : public store::EmptyReader {
 public:
  explicit FiveItemsReader(bool fails) : fails_(fails) {}

  store::Result<void> begin() override {
    if (fails_) return std::unexpected(store::Error{store::Fault::link_lost, "gone"});
    return {};
  }
  store::Result<std::vector<store::StoredItem>> items(domain::ProductId after, std::size_t count,
                                                      std::size_t) override {
    std::vector<store::StoredItem> items;
    for (domain::ProductId id = after + 1; id <= 5 && items.size() < count; ++id) {
      items.emplace_back().id = id;
      items.back().description = description;
    }
    return items;
  }

  // All of them, with less on hand the higher the id is.
  store::Result<std::vector<store::StoredItem>> find_items(const store::ItemSearch& search,
                                                           std::size_t count,
                                                           std::size_t) override {
    *asked = search;
    std::vector<store::StoredItem> items;
    for (domain::ProductId id = 5; id >= 1 && items.size() < count; --id) {
      items.emplace_back().id = id;
      items.back().quantity = 5 - id;
    }
    return items;
  }

  std::optional<std::string> description;
  store::ItemSearch* asked = nullptr;

 private:
  bool fails_;
};

class ItemPagesTest : public testing::Test {
 protected:
  ops::HttpResponse get(std::string_view target) {
    ops::HttpResponse response;
    const auto request = ops::make_request("GET", target);
    boost::asio::co_spawn(
        loop_, target.starts_with("/items/") ? pages_.one(request) : pages_.page(request),
        [&](const std::exception_ptr& error, ops::HttpResponse answer) {
          if (error) std::rethrow_exception(error);
          response = std::move(answer);
          loop_.stop();
        });
    loop_.restart();
    loop_.run();
    return response;
  }

  std::optional<std::string> description_;
  bool fails_ = false;
  boost::asio::io_context loop_{1};
  PageReader reader_{loop_.get_executor(), [this] {
                       auto reader = std::make_unique<FiveItemsReader>(fails_);
                       reader->description = description_;
                       return reader;
                     }};
  store::ItemSearch asked_;
  PageReader searcher_{loop_.get_executor(), [this] {
                         auto reader = std::make_unique<FiveItemsReader>(fails_);
                         reader->asked = &asked_;
                         return reader;
                       }};
  ItemPages pages_{reader_, searcher_};
};

TEST_F(ItemPagesTest, ShowOneItem) {
  const auto response = get("/items/3");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body,
            "{\"id\":3,\"quantity\":0,\"description\":null,\"created_at\":null,\"held\":0,\"low_"
            "stock\":null}\n");
  for (const char* target : {"/items/6", "/items/0", "/items/-1", "/items/", "/items/x",
                             "/items/3/", "/items/9007199254740992"}) {
    EXPECT_EQ(get(target).status, 404U) << target;
  }
}

TEST_F(ItemPagesTest, FindItemsAndTellWhereTheNextPageBegins) {
  EXPECT_TRUE(get("/items?search=a%20b%2B+%C3%B6&sort=quantity&limit=2")
                  .body.ends_with(R"(],"next":"1.4"})"
                                  "\n"));
  EXPECT_EQ(asked_.text, "a b+ ö");
  EXPECT_EQ(asked_.order, store::ItemOrder::quantity);
  EXPECT_EQ(asked_.after, store::ItemPlace());
  EXPECT_TRUE(get("/items?sort=scarcity&after=-1.4")
                  .body.ends_with(R"(],"next":null})"
                                  "\n"));
  EXPECT_EQ(asked_.text, "");
  EXPECT_EQ(asked_.order, store::ItemOrder::scarcity);
  EXPECT_EQ(asked_.after, (store::ItemPlace{-1, 4}));
  EXPECT_TRUE(get("/items?search=x&after=7&limit=1")
                  .body.ends_with(R"(],"next":5})"
                                  "\n"));
  EXPECT_EQ(asked_.order, store::ItemOrder::id);
  EXPECT_EQ(asked_.after, (store::ItemPlace{0, 7}));
}

TEST_F(ItemPagesTest, RefuseWhatNoSearchCanBe) {
  for (const std::string& query : std::vector<std::string>{
           "sort=", "sort=name", "search=%", "search=%ff", "search=%00",
           "search=" + std::string(1001, 'x'), "sort=quantity&after=7", "sort=quantity&after=7.",
           "sort=quantity&after=.7", "sort=quantity&after=7.x", "after=7.1", "search=x&after=-1",
           "sort=scarcity&after=99999999999999999999.1", "search=x&limit=0"}) {
    const auto response = get("/items?" + query);
    EXPECT_EQ(response.status, 400U) << query;
    EXPECT_EQ(response.body.substr(0, 12), "search takes");
  }
}

TEST_F(ItemPagesTest, ShowAPageAndWhereTheNextBegins) {
  EXPECT_TRUE(get("/items?after=1&limit=2")
                  .body.ends_with(R"(],"next":3})"
                                  "\n"));
  EXPECT_TRUE(get("/items?after=3&limit=2")
                  .body.ends_with(R"(],"next":5})"
                                  "\n"));
  EXPECT_EQ(get("/items?after=5&limit=2").body, "{\"items\":[],\"next\":null}\n");
  EXPECT_TRUE(get("/items").body.ends_with(R"(],"next":null})"
                                           "\n"));
  for (const char* target : {"/items?limit=0", "/items?limit=1001", "/items?after=-1",
                             "/items?after=x", "/items?limit="}) {
    EXPECT_EQ(get(target).status, 400U) << target;
  }
}

TEST_F(ItemPagesTest, EndAPageThatHoldsTooManyBytesAndSayWhereTheNextBegins) {
  description_ = std::string(60'000, 'x');
  const auto first = get("/items");
  EXPECT_LE(first.body.size(), kPageBytesMax);
  EXPECT_TRUE(first.body.ends_with("\"next\":2}\n")) << first.body.substr(first.body.size() - 99);
  EXPECT_TRUE(get("/items?after=2").body.ends_with("\"next\":4}\n"));
  EXPECT_TRUE(get("/items?after=4").body.ends_with("\"next\":null}\n"));
}

TEST_F(ItemPagesTest, ShowAnItemAloneThatIsMoreThanAPage) {
  description_ = std::string(60'000, '\x01');
  EXPECT_TRUE(get("/items").body.ends_with("\"next\":1}\n"));
}

TEST_F(ItemPagesTest, ShowWhatIsNoTextAsNull) {
  description_ = "\xff";
  EXPECT_EQ(get("/items/3").body,
            "{\"id\":3,\"quantity\":0,\"description\":null,\"created_at\":null,\"held\":0,\"low_"
            "stock\":null}\n");
}

TEST_F(ItemPagesTest, AreUnavailableWithoutTheDatabase) {
  fails_ = true;
  const auto response = get("/items/3");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, "gone\n") << "it says why";
  EXPECT_EQ(response.retry_after, "1");
}

}  // namespace
}  // namespace inventory::server
