#include "app/item_json.h"

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/timestamp.h"

namespace inventory::app {

std::string item_json(const store::StoredItem& item) {
  std::string json =
      fmt::format(R"({{"id":{},"quantity":{},"description":)", item.id, item.quantity);
  if (item.description) {
    contract::append_json_string(json, *item.description);
  } else {
    json += "null";
  }
  json += R"(,"created_at":)";
  json += item.created_at ? fmt::format(R"("{}")", contract::format_timestamp(*item.created_at))
                          : "null";
  return json + "}";
}

}  // namespace inventory::app
