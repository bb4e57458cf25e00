#pragma once

// request_file: the requests that a CSV file asks for, each with its identity. Its first line says
// what they are: items (quantity,description) or adjustments (product_id,change or
// product_id,set_to, each with or without a reason).
//
// An identity is made of the file's name, what the row asks for, and how many rows like it stand
// before it: not of its line. So the same file sent twice does its rows once, also if rows were
// added, removed, moved or mended meanwhile; a row that was changed is another request. The reason
// of an adjustment does not count: to correct it does not adjust twice.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ledger.h"

namespace inventory::cli {

enum class RowKind : std::uint8_t { item, adjustment };

struct RequestRow {
  std::size_t line;                          // on which it begins, from 1
  std::string body;                          // of its request, as the contract has it
  std::string identity;                      // at most 128 bytes, for the message_id
  std::optional<domain::ProductId> product;  // of an adjustment
};

struct BadRow {
  std::size_t line;
  std::string what;
};

struct RequestFile {
  RowKind kind;
  std::vector<RequestRow> rows;
  std::vector<BadRow> bad;
};

// The error says why nothing can be read.
std::expected<RequestFile, std::string> read_request_file(std::string_view text,
                                                          std::string_view name);

}  // namespace inventory::cli
