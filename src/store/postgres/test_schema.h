#pragma once

// TestSchema: a schema of its own in the PostgreSQL that INVENTORY_TEST_POSTGRES_URL names, for one
// test; dropped at the end. Its connections block.

#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "store/postgres/connect.h"
#include "store/postgres/postgres_store.h"

namespace inventory::store::postgres {

class TestSchema {
 public:
  static bool available();
  static constexpr const char* kUnavailable = "INVENTORY_TEST_POSTGRES_URL is not set";

  TestSchema();
  TestSchema(const TestSchema&) = delete;
  TestSchema& operator=(const TestSchema&) = delete;
  ~TestSchema();

  // Also the application_name of the connections that options() leads to.
  const std::string& name() const { return name_; }

  // For a store whose tables lie in this schema. `settings` are more of the session's: "-c role=x".
  // `hosts` and `ports` replace the server's.
  PostgresOptions options(std::string_view settings = "") const;
  std::string connection_string(std::string_view settings, std::string_view hosts,
                                std::string_view ports) const;
  std::string host() const { return PQhost(admin_.get()); }
  std::string port() const { return PQport(admin_.get()); }

  // Runs statements on the connection of the test itself; throws with the server's words.
  // Returns the first field of the last result, or "" if there is none.
  std::string sql(const std::string& statements) const;

  // How many of the store's connections wait for a lock; how many there are.
  int waiting() const;
  int connections() const;
  void terminate_connections() const;

 private:
  int count_connections(std::string_view condition) const;

  std::string name_;
  ConnectionHandle admin_;
};

}  // namespace inventory::store::postgres
