#include "store/postgres/test_schema.h"

#include <cstdlib>
#include <stdexcept>
#include <unistd.h>

#include <fmt/format.h>

#include "store/postgres/session.h"

namespace inventory::store::postgres {
namespace {

constexpr const char* kVariable = "INVENTORY_TEST_POSTGRES_URL";

std::string quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    text += c == '\'' || c == '\\' ? "\\" : "";
    text += c;
  }
  return text + "'";
}

}  // namespace

bool TestSchema::available() { return std::getenv(kVariable) != nullptr; }

TestSchema::TestSchema() : admin_(PQconnectdb(std::getenv(kVariable))) {
  static int count = 0;
  name_ = fmt::format("inventory_test_{}_{}", getpid(), ++count);
  PQsetNoticeProcessor(admin_.get(), [](void*, const char*) {}, nullptr);
  sql(fmt::format("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}; SET search_path = {0}",
                  name_));
}

TestSchema::~TestSchema() {
  // A test that failed may have left a transaction open. ROLLBACK without one only warns.
  for (const auto& statement : {std::string("ROLLBACK"), "DROP SCHEMA " + name_ + " CASCADE"}) {
    const ResultHandle done(PQexec(admin_.get(), statement.c_str()));
  }
}

PostgresOptions TestSchema::options(std::string_view settings) const {
  PostgresOptions options;
  options.connection_string = connection_string(settings, host(), port());
  return options;
}

std::string TestSchema::connection_string(std::string_view settings, std::string_view hosts,
                                          std::string_view ports) const {
  return fmt::format("host={} port={} dbname={} user={} password={} application_name={} options={}",
                     quoted(hosts), quoted(ports), quoted(PQdb(admin_.get())),
                     quoted(PQuser(admin_.get())), quoted(PQpass(admin_.get())), name_,
                     quoted(fmt::format("-c search_path={} {}", name_, settings)));
}

std::string TestSchema::sql(const std::string& statements) const {
  const ResultHandle result(PQexec(admin_.get(), statements.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(PQerrorMessage(admin_.get()));
  }
  return PQntuples(result.get()) == 0 || PQnfields(result.get()) == 0
             ? ""
             : PQgetvalue(result.get(), 0, 0);
}

// Within a transaction pg_stat_activity keeps showing what it showed first.
int TestSchema::count_connections(std::string_view condition) const {
  sql("SELECT pg_stat_clear_snapshot()");
  return std::stoi(
      sql(fmt::format("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND {}",
                      name_, condition)));
}

int TestSchema::waiting() const { return count_connections("wait_event_type = 'Lock'"); }

int TestSchema::connections() const { return count_connections("true"); }

void TestSchema::terminate_connections() const {
  sql(
      fmt::format("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                  "WHERE application_name = '{}'",
                  name_));
}

}  // namespace inventory::store::postgres
