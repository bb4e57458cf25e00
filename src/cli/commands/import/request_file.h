#pragma once

// request_file: the requests that a CSV file asks for, each with its identity. Its first line says
// what they are: items (quantity,description), adjustments (product_id,change or product_id,set_to,
// each with or without a reason), or a stocktake (kStocktakeHead): what `stock --csv` printed, with
// what was counted. What was not counted, or is as it was, is no request.
//
// An identity is made of the file's name, what the row asks for, and how many rows like it stand
// before it: not of its line. So the same file sent twice does its rows once, also if rows were
// added, removed, moved or mended meanwhile; a row that was changed is another request. The reason
// of an adjustment does not count: to correct it does not adjust twice. A row of a stocktake is
// told by the product's version instead of the file's name: what it asks for is of that version
// alone.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ledger.h"

namespace inventory::cli {

inline constexpr std::string_view kStocktakeHead =
    "product_id,description,held,version,expected,counted";

enum class RowKind : std::uint8_t { item, adjustment };

struct RequestRow {
  std::size_t line;                          // on which it begins, from 1
  std::string body;                          // of its request, as the contract has it
  std::string identity;                      // at most 128 bytes, for the message_id
  std::optional<domain::ProductId> product;  // of an adjustment
  std::optional<domain::Quantity> expected = std::nullopt;
};

struct BadRow {
  std::size_t line;
  std::string what;
};

struct RequestFile {
  RowKind kind;
  std::vector<RequestRow> rows;
  std::vector<BadRow> bad;
  std::size_t not_counted = 0;  // rows of a stocktake
  std::size_t as_expected = 0;
};

// The error says why nothing can be read.
std::expected<RequestFile, std::string> read_request_file(std::string_view text,
                                                          std::string_view name);

}  // namespace inventory::cli
