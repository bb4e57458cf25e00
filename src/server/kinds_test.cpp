#include "service/kinds.h"

#include <algorithm>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "config/configuration.h"
#include "config/settings.h"

namespace inventory::server {
namespace {

// Service and config know nothing of each other.
TEST(Kinds, HaveSettingsWhoseDefaultsAreTheirQueues) {
  const auto loaded = config::load_configuration(
      {}, [](const std::string&) { return std::optional<std::string>(); }, std::nullopt);
  ASSERT_TRUE(loaded) << loaded.error();
  const auto rows = config::queue_settings();
  EXPECT_EQ(rows.size(), service::kinds().size());
  for (const service::KindRow& kind : service::kinds()) {
    const auto row = std::ranges::find(rows, kind.name, &config::QueueSettings::kind);
    ASSERT_NE(row, rows.end()) << kind.name;
    EXPECT_EQ(loaded->configuration.*row->queue, kind.queue);
    if (kind.reply_queue.empty()) continue;  // nobody is answered
    EXPECT_EQ(row->reply_queue == nullptr ? std::string(kind.queue) + "_response"
                                          : loaded->configuration.*row->reply_queue,
              kind.reply_queue);
  }
}

}  // namespace
}  // namespace inventory::server
