#pragma once

// Migration: one step of the schema, embedded at build from migrations/NNNN_name.sql.

#include <span>
#include <string_view>

namespace inventory::store {

struct Migration {
  int version;  // 1, 2, 3, ... without gaps
  std::string_view name;
  std::string_view sql;
};

}  // namespace inventory::store
