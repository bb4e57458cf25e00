#include "cli/commands/add.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

TEST(Add, HasAQuantityAndPerhapsADescription) {
  const auto plain = test::read_by(read_add, {"add", "--quantity", "0"});
  EXPECT_EQ(plain.quantity, 0);
  EXPECT_EQ(plain.description, std::nullopt);
  EXPECT_EQ(plain.timeout, std::chrono::seconds(10));
  const auto full = test::read_by(read_add, {"add", "--quantity", "9007199254740991",
                                             "--description", "-5% off, [a,b]", "--timeout=3"});
  EXPECT_EQ(full.quantity, 9007199254740991);
  EXPECT_EQ(full.description, "-5% off, [a,b]");
  EXPECT_EQ(full.timeout, std::chrono::seconds(3));
}

TEST(Add, MayChooseTheIdAndWhatIsLow) {
  EXPECT_EQ(item_request(test::read_by(
                read_add, {"add", "--quantity", "5", "--product-id", "7", "--low-stock", "2"})),
            R"({"quantity":5,"product_id":7,"low_stock":2})");
  EXPECT_THAT(test::error_of({"add", "--quantity", "1", "--product-id", "0"}),
              testing::HasSubstr("--product-id takes a whole number from 1 to"));
  EXPECT_THAT(test::error_of({"add", "--quantity", "1", "--low-stock", "-1"}),
              testing::HasSubstr("--low-stock takes a whole number from 0 to"));
}

TEST(Add, TellsAnEmptyDescriptionFromNone) {
  EXPECT_EQ(test::read_by(read_add, {"add", "--description", "", "--quantity", "1"}).description,
            "");
  EXPECT_EQ(test::read_by(read_add, {"add", "--description=", "--quantity", "1"}).description, "");
}

TEST(Add, SaysWhatItsOptionsTake) {
  EXPECT_EQ(test::error_of({"add"}), "add: --quantity is missing");
  EXPECT_EQ(test::error_of({"add", "--quantity", "-1"}),
            "add: --quantity takes a whole number from 0 to 9007199254740991; not \"-1\"");
  EXPECT_THAT(test::error_of({"add", "--quantity", "9007199254740992"}),
              testing::HasSubstr("takes a whole"));
  EXPECT_THAT(test::error_of({"add", "--quantity", "2.0"}), testing::HasSubstr("takes a whole"));
  EXPECT_THAT(test::error_of({"add", "--quantity", "1", "--timeout", "0"}),
              testing::HasSubstr("--timeout takes a whole number from 1 to 3600; not \"0\""));
  EXPECT_EQ(test::error_of({"add", "--quantity", "1", "--description", std::string(10'001, 'x')}),
            "add: --description takes at most 10000 bytes of UTF-8");
  EXPECT_EQ(test::error_of({"add", "--quantity", "1", "--description", "\xFF"}),
            "add: --description takes at most 10000 bytes of UTF-8");
}

}  // namespace
}  // namespace inventory::cli
