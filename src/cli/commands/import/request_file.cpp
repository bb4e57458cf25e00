#include "cli/commands/import/request_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "cli/commands/add.h"
#include "cli/commands/adjust.h"
#include "cli/commands/import/csv.h"
#include "cli/options.h"
#include "contract/limits.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

using Fields = std::vector<std::string>;

// Row: the request of a row. An adjustment gets its id later, from the row's identity.
struct Row {
  std::string content;  // for the identity: the same for rows that ask for the same
  std::variant<AddOptions, domain::Adjustment> request;
};

// Why a row makes no request.
enum class Nothing : std::uint8_t { not_counted, as_expected };

using ReadRow = std::expected<std::variant<Row, Nothing>, std::string>;

ReadRow read_item(Fields fields, std::string_view name) {
  const auto quantity = read_integer("quantity", fields[0], 0, contract::kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  std::string& description = fields[1];
  if (description.size() > contract::kDescriptionBytesMax || !terminal::is_utf8(description) ||
      description.contains('\0')) {
    return Wrong(fmt::format("description takes at most {} bytes of UTF-8 without NUL",
                             contract::kDescriptionBytesMax));
  }
  auto content = fmt::format("{} {} {} {}", *quantity, name.size(), name, description);
  AddOptions item{};
  item.quantity = *quantity;
  if (!description.empty()) item.description = std::move(description);
  return Row{.content = std::move(content), .request = std::move(item)};
}

// Product and reason, which both kinds of adjustment rows have.
std::expected<domain::Adjustment, std::string> read_common(Fields& fields) {
  const auto product = read_integer("product_id", fields[0], 1, contract::kIntegerMax);
  if (!product) return Wrong(product.error());
  domain::Adjustment adjustment{.id = domain::OrderId(0), .product = *product};
  if (fields.size() < 3 || fields[2].empty()) return adjustment;
  auto reason = read_adjustment_reason("reason", std::move(fields[2]));
  if (!reason) return Wrong(std::move(reason.error()));
  adjustment.reason = *std::move(reason);
  return adjustment;
}

ReadRow read_change_row(Fields fields, std::string_view name) {
  auto adjustment = read_common(fields);
  if (!adjustment) return Wrong(std::move(adjustment.error()));
  const auto change = read_change("change", fields[1]);
  if (!change) return Wrong(change.error());
  adjustment->change = *change;
  return Row{
      .content = fmt::format("change {} {} {} {}", adjustment->product, *change, name.size(), name),
      .request = *std::move(adjustment)};
}

ReadRow read_count_row(Fields fields, std::string_view name) {
  auto adjustment = read_common(fields);
  if (!adjustment) return Wrong(std::move(adjustment.error()));
  const auto count = read_integer("set_to", fields[1], 0, contract::kIntegerMax);
  if (!count) return Wrong(count.error());
  adjustment->set_to = *count;
  return Row{
      .content = fmt::format("set_to {} {} {} {}", adjustment->product, *count, name.size(), name),
      .request = *std::move(adjustment)};
}

ReadRow read_stocktake_row(Fields fields, std::string_view /*name*/) {
  const auto read = [](const char* column, const std::string& text, std::int64_t min = 0) {
    return read_integer(column, text, min, contract::kIntegerMax);
  };
  if (fields[5].empty()) return Nothing::not_counted;
  const auto product = read("product_id", fields[0], 1);
  const auto version = read("version", fields[3]);
  const auto expected = read("expected", fields[4]);
  const auto counted = read("counted", fields[5]);
  for (const auto* number : {&product, &version, &expected, &counted}) {
    if (!*number) return Wrong(number->error());
  }
  if (*counted == *expected) return Nothing::as_expected;
  return Row{
      .content = fmt::format("stocktake {} {} {} {}", *product, *version, *expected, *counted),
      .request = domain::Adjustment{.id = domain::OrderId(0),
                                    .product = *product,
                                    .set_to = *counted,
                                    .expected = *expected,
                                    .reason = "stocktake"}};
}

// Form: the kind of rows that a first line announces.
struct Form {
  std::string_view head;
  RowKind kind;
  ReadRow (*read)(Fields fields, std::string_view name);
};

constexpr std::array kForms{
    Form{"quantity,description", RowKind::item, read_item},
    Form{"product_id,change", RowKind::adjustment, read_change_row},
    Form{"product_id,change,reason", RowKind::adjustment, read_change_row},
    Form{"product_id,set_to", RowKind::adjustment, read_count_row},
    Form{"product_id,set_to,reason", RowKind::adjustment, read_count_row},
    Form{kStocktakeHead, RowKind::adjustment, read_stocktake_row},
};

std::size_t count_columns(const Form& form) {
  return 1 + static_cast<std::size_t>(std::ranges::count(form.head, ','));
}

const Form* find_form(CsvReader& reader) {
  const auto record = reader.next();
  if (!record || !*record) return nullptr;
  const auto found =
      std::ranges::find(kForms, fmt::to_string(fmt::join((*record)->fields, ",")), &Form::head);
  if (found == kForms.end() || (*record)->fields.size() != count_columns(*found)) return nullptr;
  return &*found;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string make_body(Row row, const std::string& identity) {
  if (const auto* item = std::get_if<AddOptions>(&row.request)) return item_request(*item);
  auto& adjustment = std::get<domain::Adjustment>(row.request);
  adjustment.id = domain::OrderId(identity);
  return adjustment_request(adjustment);
}

}  // namespace

std::expected<RequestFile, std::string> read_request_file(std::string_view text,
                                                          std::string_view name) {
  CsvReader reader(text);
  const Form* form = find_form(reader);
  if (form == nullptr) {
    return std::unexpected(
        "the first line is none of quantity,description; product_id,change; product_id,set_to, the "
        "last two with or without ,reason; nor that of stock --csv");
  }
  RequestFile file{.kind = form->kind, .rows = {}, .bad = {}};
  std::map<std::string, std::size_t> seen;  // number of rows by content
  while (auto record = reader.next()) {
    if (!*record) {
      file.bad.push_back({record->error().line, std::move(record->error().what)});
      continue;
    }
    const auto line = (*record)->line;
    auto& fields = (*record)->fields;
    if (fields.size() != count_columns(*form)) {
      file.bad.push_back({line, fmt::format("{} fields where there are {}, {}", fields.size(),
                                            count_columns(*form), form->head)});
      continue;
    }
    auto read = form->read(std::move(fields), name);
    if (!read) {
      file.bad.push_back({line, std::move(read.error())});
      continue;
    }
    if (const auto* nothing = std::get_if<Nothing>(&*read)) {
      ++(*nothing == Nothing::not_counted ? file.not_counted : file.as_expected);
      continue;
    }
    Row& row = std::get<Row>(*read);
    RequestRow request{.line = line, .body = "", .identity = "", .product = std::nullopt};
    if (const auto* adjustment = std::get_if<domain::Adjustment>(&row.request)) {
      request.product = adjustment->product;
      request.expected = adjustment->expected;
    }
    const std::string content = sha256_hex(row.content);
    request.identity = fmt::format("import-{}-{}", content, ++seen[content]);
    request.body = make_body(std::move(row), request.identity);
    file.rows.push_back(std::move(request));
  }
  return file;
}

}  // namespace inventory::cli
