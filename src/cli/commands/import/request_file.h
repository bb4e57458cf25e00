#pragma once

// item_file: the items that a CSV file names, each with the identity of its request.
//
// An identity is made of the file's name, the row's quantity and description, and how many rows
// like it stand before it: not of its line. So the same file sent twice adds its items once, also
// if rows were added, removed, moved or mended meanwhile; a row that was changed is another item.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/order.h"

namespace inventory::cli {

struct ItemRow {
  std::size_t line;                        // on which it begins, from 1
  domain::Quantity quantity;               // 0 to 2^53 - 1
  std::optional<std::string> description;  // at most 10,000 bytes of UTF-8 without NUL, not empty
  std::string identity;                    // at most 255 bytes, for the message_id
};

struct BadRow {
  std::size_t line;
  std::string what;
};

struct ItemFile {
  std::vector<ItemRow> rows;
  std::vector<BadRow> bad;
};

// Reads a text whose first record is quantity,description. The error says why nothing can be read.
std::expected<ItemFile, std::string> read_item_file(std::string_view text, std::string_view name);

}  // namespace inventory::cli
