#include "store/sqlite/table_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace inventory::store::sqlite {
namespace {

struct Token {
  enum class Kind : std::uint8_t {
    word,    // a name or a keyword, in lower case
    name,    // a quoted name, without its quotes, in lower case
    string,  // with its quotes
    sign,
  };

  Kind kind;
  std::string text;
  std::size_t begin;
  std::size_t end;
};

bool is_space(char c) { return std::string_view(" \t\n\f\r").contains(c); }

bool is_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

// The position after the quoted text that begins here. A doubled quote is part of the text.
std::size_t end_of_quoted(std::string_view sql, std::size_t begin) {
  const char quote = sql[begin] == '[' ? ']' : sql[begin];
  for (std::size_t at = begin + 1; at < sql.size(); ++at) {
    if (sql[at] != quote) {
      continue;
    }
    if (quote == ']' || at + 1 == sql.size() || sql[at + 1] != quote) {
      return at + 1;
    }
    ++at;
  }
  return sql.size();
}

// The position after a comment that begins here; `begin` if there is none. An unterminated comment
// extends to the end of the text.
std::size_t end_of_comment(std::string_view sql, std::size_t begin) {
  const auto rest = sql.substr(begin);
  const std::string_view end = rest.starts_with("--") ? "\n" : rest.starts_with("/*") ? "*/" : "";
  if (end.empty()) {
    return begin;
  }
  const auto found = sql.find(end, begin + 2);
  return found == std::string_view::npos ? sql.size() : found + end.size();
}

std::size_t end_of_sign(std::string_view sql, std::size_t begin) {
  constexpr std::array<std::string_view, 8> kPairs = {
      ">=", "<=", "<>", "!=", "==", "||", "<<", ">>"};
  return begin + (std::ranges::find(kPairs, sql.substr(begin, 2)) == kPairs.end() ? 1 : 2);
}

std::vector<Token> tokens_of(std::string_view sql) {
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < sql.size();) {
    const std::size_t begin = at;
    const char c = sql[at];
    if (is_space(c)) {
      ++at;
    } else if (const auto end = end_of_comment(sql, at); end != at) {
      at = end;
    } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
      at = end_of_quoted(sql, at);
      const auto kind = c == '\'' ? Token::Kind::string : Token::Kind::name;
      const auto text = sql.substr(begin, at - begin);
      tokens.push_back({kind,
                        kind == Token::Kind::string || text.size() < 2
                            ? std::string(text)
                            : lowered(text.substr(1, text.size() - 2)),
                        begin, at});
    } else if (is_of_word(c)) {
      while (at < sql.size() && is_of_word(sql[at])) ++at;
      tokens.push_back({Token::Kind::word, lowered(sql.substr(begin, at - begin)), begin, at});
    } else {
      at = end_of_sign(sql, at);
      tokens.push_back({Token::Kind::sign, std::string(sql.substr(begin, at - begin)), begin, at});
    }
  }
  return tokens;
}

bool is(const Token& token, Token::Kind kind, std::string_view text) {
  return token.kind == kind && token.text == text;
}

// The position of the parenthesis that matches the one at `open`; the last token if there is none.
std::size_t closing(const std::vector<Token>& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < tokens.size(); ++at) {
    depth += is(tokens[at], Token::Kind::sign, "(") ? 1 : 0;
    depth -= is(tokens[at], Token::Kind::sign, ")") ? 1 : 0;
    if (depth == 0) {
      return at;
    }
  }
  return tokens.size() - 1;
}

// Whether it is CHECK ( quantity >= 0 ), from `check` to `close`: the rebuilt table has it too.
bool is_of_quantity(const std::vector<Token>& tokens, std::size_t check, std::size_t close) {
  return close == check + 5 && tokens[check + 2].kind != Token::Kind::string &&
         tokens[check + 2].text == "quantity" && is(tokens[check + 3], Token::Kind::sign, ">=") &&
         is(tokens[check + 4], Token::Kind::word, "0") && is(tokens[close], Token::Kind::sign, ")");
}

// On one line, without comments.
std::string one_line(const std::vector<Token>& tokens, std::size_t first, std::size_t last,
                     std::string_view sql) {
  std::string line;
  for (std::size_t at = first; at <= last; ++at) {
    if (at > first && tokens[at].begin > tokens[at - 1].end) {
      line += ' ';
    }
    line += sql.substr(tokens[at].begin, tokens[at].end - tokens[at].begin);
  }
  return line;
}

}  // namespace

std::vector<std::string> conditions_of(std::string_view create_table) {
  const auto tokens = tokens_of(create_table);
  std::vector<std::string> conditions;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    if (is(tokens[at], Token::Kind::word, "check")) {
      const auto close = closing(tokens, std::min(at + 1, tokens.size() - 1));
      if (!is_of_quantity(tokens, at, close)) {
        conditions.push_back(one_line(tokens, at, close, create_table));
      }
      at = close;
    } else if (is(tokens[at], Token::Kind::word, "on") && at + 1 < tokens.size() &&
               is(tokens[at + 1], Token::Kind::word, "conflict")) {
      const auto last = std::min(at + 2, tokens.size() - 1);
      conditions.push_back(one_line(tokens, at, last, create_table));
      at = last;
    }
  }
  return conditions;
}

}  // namespace inventory::store::sqlite
