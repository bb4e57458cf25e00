#pragma once

// Database URL: names the database, in the forms that existing deployments have.
//
//   sqlite:PATH                        a file, relative or absolute
//   sqlite:///PATH, sqlite:////PATH    the same in SQLAlchemy's form: relative, absolute
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
  std::string url;          // accepted by PQconninfoParse, begins with postgresql://
  std::string schema = {};  // of the tables; empty: the one that search_path gives

  friend bool operator==(const PostgresUrl&, const PostgresUrl&) = default;
};

using DatabaseUrl = std::variant<SqlitePath, PostgresUrl>;

// asyncpg's parameter `ssl` becomes libpq's `sslmode`. The error is one clause that says what is
// wrong and repeats no part of the URL; it is empty if the text has none of the forms above.
std::expected<DatabaseUrl, std::string> parse_database_url(std::string_view url);

// For logs: without credentials.
std::string display(const DatabaseUrl& database);

}  // namespace inventory::config
