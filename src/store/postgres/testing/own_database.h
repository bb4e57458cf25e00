#pragma once

// A database for one test, on the server of the other tests, for what is seen across schemas;
// dropped with the object.

#include <string>

#include <fmt/format.h>

#include "store/postgres/testing/postgres_test_database.h"

namespace inventory::store::postgres {

class OwnDatabase {
 public:
  explicit OwnDatabase(const PostgresTestDatabase& server) : server_(server) {
    server_.sql("CREATE DATABASE " + server_.name());
    admin_.reset(PQconnectdb(url().c_str()));
    PQsetNoticeProcessor(admin_.get(), [](void*, const char*) {}, nullptr);
  }
  OwnDatabase(const OwnDatabase&) = delete;
  OwnDatabase& operator=(const OwnDatabase&) = delete;
  ~OwnDatabase() {
    admin_.reset();
    server_.sql(fmt::format("DROP DATABASE {} WITH (FORCE)", server_.name()));
  }

  // For an undivided stock; `settings` are the client's, such as "-c search_path=shop".
  PostgresOptions options(std::string_view settings = "") const {
    PostgresOptions options;
    options.connection_string = fmt::format("{} options='{}'", url(), settings);
    return options;
  }

  // For a partition, in the schema of its number.
  PostgresOptions options(const TablesOwner& owner, std::string_view settings = "") const {
    PostgresOptions of_owner = options(settings);
    if (owner.partition) of_owner.schema = fmt::format("inventory_{}", owner.partition->number);
    of_owner.owner = owner;
    return of_owner;
  }

  // As PostgresTestDatabase::sql().
  std::string sql(const std::string& statements) const {
    return PostgresTestDatabase::execute_on(admin_.get(), statements);
  }

 private:
  std::string url() const {
    return server_.connection_string("", server_.host(), server_.port()) +
           fmt::format(" dbname={} options=''", server_.name());
  }

  const PostgresTestDatabase& server_;
  ConnectionHandle admin_;
};

}  // namespace inventory::store::postgres
