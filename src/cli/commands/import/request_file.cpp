#include "cli/commands/import/item_file.h"

#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "cli/commands/import/csv.h"
#include "cli/options.h"
#include "config/configuration.h"
#include "contract/limits.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::expected<ItemRow, std::string> read_row(CsvRecord record) {
  auto& fields = record.fields;
  if (fields.size() != 2) {
    return std::unexpected(
        fmt::format("{} fields where there are two, quantity,description", fields.size()));
  }
  const auto quantity = read_integer("quantity", fields[0], 0, contract::kIntegerMax);
  if (!quantity) return std::unexpected(quantity.error());
  ItemRow row{.line = record.line, .quantity = *quantity, .description = {}, .identity = {}};
  if (fields[1].empty()) return row;
  if (fields[1].size() > contract::kDescriptionBytesMax || !terminal::is_utf8(fields[1]) ||
      fields[1].contains('\0')) {
    return std::unexpected(fmt::format("description takes at most {} bytes of UTF-8 without NUL",
                                       contract::kDescriptionBytesMax));
  }
  row.description = std::move(fields[1]);
  return row;
}

}  // namespace

std::expected<ItemFile, std::string> read_item_file(std::string_view text, std::string_view name) {
  CsvReader reader(text);
  const auto head = reader.next();
  if (!head || !*head || (*head)->fields != std::vector<std::string>{"quantity", "description"}) {
    return std::unexpected("the first line is not quantity,description");
  }
  ItemFile file;
  std::map<std::string, std::size_t> seen;  // how often, by what is in a row
  while (auto record = reader.next()) {
    if (!*record) {
      file.bad.push_back({record->error().line, std::move(record->error().what)});
      continue;
    }
    const std::size_t line = (*record)->line;
    auto row = read_row(std::move(**record));
    if (!row) {
      file.bad.push_back({line, std::move(row.error())});
      continue;
    }
    const std::string content = sha256_hex(fmt::format("{} {} {} {}", row->quantity, name.size(),
                                                       name, row->description.value_or("")));
    row->identity = fmt::format("import-{}-{}", content, ++seen[content]);
    file.rows.push_back(std::move(*row));
  }
  return file;
}

}  // namespace inventory::cli
