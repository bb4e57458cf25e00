#pragma once

// request_file: makes a request of each row of a CSV file, with its identity. The first line tells
// the kind: items (quantity,description), adjustments (product_id,change or product_id,set_to, each
// with or without a reason), or a stocktake (kStocktakeHead), which is the output of `stock --csv`
// with the counted quantities. A row that was not counted, or was counted as expected, makes no
// request.
//
// An identity is made from the file's name, the content of the row, and the number of equal rows
// before it; the line number does not count. So a file that is sent twice takes effect once, also
// if rows were added, removed, moved or repaired in between; a row whose content changed is another
// request. The reason of an adjustment is not part of the identity: a corrected reason does not
// adjust twice. A row of a stocktake has the product's version in place of the file's name, because
// it applies to that version only.

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
  std::size_t line;                          // where it begins, from 1
  std::string body;                          // of its request, as in the contract
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

// The error says why no row can be read.
std::expected<RequestFile, std::string> read_request_file(std::string_view text,
                                                          std::string_view name);

}  // namespace inventory::cli
