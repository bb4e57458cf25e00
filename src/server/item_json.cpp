#include "server/item_json.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/timestamp.h"
#include "terminal/utf8.h"

namespace inventory::server {

std::string item_json(const store::StoredItem& item) {
  std::string json = fmt::format(R"({{"id":{},"quantity":{},"description":)", item.id,
                                 item.quantity ? fmt::to_string(*item.quantity) : "null");
  if (item.description && terminal::is_utf8(*item.description)) {
    contract::append_json_string(json, *item.description);
  } else {
    json += "null";
  }
  json += R"(,"created_at":)";
  json += item.created_at ? fmt::format(R"("{}")", contract::format_timestamp(*item.created_at))
                          : "null";
  json += fmt::format(R"(,"held":{},"low_stock":{}}})", item.held,
                      item.low_stock ? fmt::to_string(*item.low_stock) : "null");
  return json;
}

std::string unreadable(const store::StoredItem& item) {
  std::vector<std::string_view> causes;
  if (!item.quantity) causes.emplace_back("quantity is no integer");
  if (item.has_odd_time) causes.emplace_back("created_at is no time of the years 1 to 9999");
  if (item.has_long_description) causes.emplace_back("description is longer than 64 KiB");
  if (item.description && !terminal::is_utf8(*item.description)) {
    causes.emplace_back("description is no UTF-8");
  }
  if (causes.empty()) return "";
  return fmt::format("item {}: {}", item.id, fmt::join(causes, "; "));
}

}  // namespace inventory::server
