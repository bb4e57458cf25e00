#include "cli/commands/adjust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using testing::HasSubstr;

std::string body_of_adjust(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"adjust", "--adjustment-id", "7", "--product-id", "1"});
  return adjustment_request(test::read_by(read_adjust, arguments).adjustment);
}

std::string error_of_adjust(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"adjust", "--product-id", "1"});
  return test::error_of(arguments);
}

TEST(Adjust, ChangesStock) {
  for (const char* change : {"+5", "5"}) {
    EXPECT_EQ(body_of_adjust({"--change", change}),
              R"({"adjustment_id":7,"product_id":1,"change":5})");
  }
  EXPECT_EQ(body_of_adjust({"--change", "-3", "--reason", "broken \"glass\""}),
            R"({"adjustment_id":7,"product_id":1,"change":-3,"reason":"broken \"glass\""})");
}

TEST(Adjust, SetsStock) {
  EXPECT_EQ(body_of_adjust({"--set-to", "20"}),
            R"({"adjustment_id":7,"product_id":1,"set_to":20})");
  EXPECT_EQ(body_of_adjust({"--set-to=0", "--expected", "18"}),
            R"({"adjustment_id":7,"product_id":1,"set_to":0,"expected":18})");
}

TEST(Adjust, GetsANewIdWhereNoneIsGiven) {
  const std::vector<std::string> arguments{"adjust", "--product-id", "1", "--change", "1"};
  EXPECT_NE(test::read_by(read_adjust, arguments).adjustment.id,
            test::read_by(read_adjust, arguments).adjustment.id);
}

TEST(Adjust, SaysWhatItsOptionsTake) {
  EXPECT_EQ(test::error_of({"adjust", "--change", "1"}), "adjust: --product-id is missing");
  EXPECT_EQ(error_of_adjust({}), "adjust: --change or --set-to is missing");
  EXPECT_EQ(error_of_adjust({"--change", "1", "--set-to", "1"}),
            "adjust: --change and --set-to exclude each other");
  EXPECT_EQ(error_of_adjust({"--change", "1", "--expected", "1"}),
            "adjust: --expected goes with --set-to only");
  for (const char* change : {"", "0", "+", "+-1", "1.5", "9007199254740992"}) {
    EXPECT_THAT(error_of_adjust({"--change", change}), HasSubstr("--change takes a whole number"));
  }
  EXPECT_THAT(error_of_adjust({"--set-to", "-1"}),
              HasSubstr("--set-to takes a whole number from 0"));
  for (const std::string& reason :
       {std::string(201, 'x'), std::string("a\nb"), std::string("\xFF"), std::string("\xC2\x9B")}) {
    EXPECT_THAT(error_of_adjust({"--change", "1", "--reason", reason}),
                HasSubstr("--reason takes at most 200 bytes"));
  }
}

TEST(Adjust, SaysThatItIsSwitchedOff) {
  EXPECT_EQ(error_of_adjust({"--change", "1", "--adjust-queue", "none"}),
            "adjust: --adjust-queue is none: it is switched off");
}

}  // namespace
}  // namespace inventory::cli
