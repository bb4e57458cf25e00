#include "cli/commands/import/csv.h"

#include <algorithm>
#include <utility>

namespace inventory::cli {

CsvReader::CsvReader(std::string_view text) : rest_(text) {
  static constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
}

std::optional<std::expected<CsvRecord, CsvError>> CsvReader::next() {
  while (take_line_end()) {
  }
  if (rest_.empty()) return std::nullopt;
  CsvRecord record{.line = line_, .fields = {}};
  for (;;) {
    auto field = rest_.starts_with('"') ? take_quoted_field() : take_field();
    if (!field) {
      skip_line();
      return std::unexpected(CsvError{record.line, std::move(field.error())});
    }
    record.fields.push_back(std::move(*field));
    if (rest_.empty() || take_line_end()) return record;
    rest_.remove_prefix(1);  // the comma
  }
}

std::expected<std::string, std::string> CsvReader::take_field() {
  const std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
  std::string_view field = rest_.substr(0, end);
  const bool ends_line = end == rest_.size() || rest_[end] == '\n';
  if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
  if (field.contains('"'))
    return std::unexpected("a quote inside a field that does not begin with one");
  rest_.remove_prefix(field.size());
  return std::string(field);
}

std::expected<std::string, std::string> CsvReader::take_quoted_field() {
  std::string field;
  rest_.remove_prefix(1);
  for (;;) {
    const std::size_t quote = rest_.find('"');
    const std::string_view part = rest_.substr(0, quote);
    line_ += static_cast<std::size_t>(std::ranges::count(part, '\n'));
    field += part;
    rest_.remove_prefix(part.size());
    if (quote == std::string_view::npos) {
      return std::unexpected("a quote that is not closed; the rest of the file is in it");
    }
    rest_.remove_prefix(1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  if (rest_.empty() || rest_.starts_with(',') || rest_.starts_with('\n') ||
      rest_.starts_with("\r\n")) {
    return field;
  }
  return std::unexpected("text after a closing quote");
}

bool CsvReader::take_line_end() {
  for (const std::string_view end : {std::string_view("\r\n"), std::string_view("\n")}) {
    if (!rest_.starts_with(end)) continue;
    rest_.remove_prefix(end.size());
    ++line_;
    return true;
  }
  return false;
}

void CsvReader::skip_line() {
  rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
  take_line_end();
}

}  // namespace inventory::cli
