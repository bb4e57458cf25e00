#pragma once

// Database URL: which database, read from what deployments hold.
//
//   sqlite:PATH                        a file, relative or absolute
//   sqlite:///PATH, sqlite:////PATH    the same as SQLAlchemy writes them: relative, absolute
//   postgresql://..., postgres://...   libpq's URL (PostgreSQL 15, section 34.1.1.2)
// SQLAlchemy's driver (postgresql+asyncpg, sqlite+aiosqlite) is dropped.

#include <expected>
#include <string>
#include <string_view>
#include <variant>

namespace inventory::config {

struct SqlitePath {
  std::string path;  // never empty, never SQLite's ":memory:", which would forget the stock

  friend bool operator==(const SqlitePath&, const SqlitePath&) = default;
};

struct PostgresUrl {
  std::string url;          // one that PQconninfoParse takes, beginning with postgresql://
  std::string schema = {};  // where the tables are; empty: where the URL's search_path leads

  friend bool operator==(const PostgresUrl&, const PostgresUrl&) = default;
};

using DatabaseUrl = std::variant<SqlitePath, PostgresUrl>;

// asyncpg's parameter `ssl` becomes libpq's `sslmode`. The error is one clause that says what is
// wrong and repeats nothing of the URL; it is empty for a text that is none of the forms above.
std::expected<DatabaseUrl, std::string> parse_database_url(std::string_view url);

// For logs: without credentials.
std::string display(const DatabaseUrl& database);

}  // namespace inventory::config
