#include "store/postgres/testing/postgres_test_database.h"

#include <cstdlib>
#include <stdexcept>
#include <unistd.h>

#include <fmt/format.h>

#include "store/postgres/postgres_archiver.h"
#include "store/postgres/postgres_reader.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {
namespace {

constexpr const char* kVariable = "INVENTORY_TEST_POSTGRES_URL";

std::string keyword_value(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    text += c == '\'' || c == '\\' ? "\\" : "";
    text += c;
  }
  return text + "'";
}

}  // namespace

bool PostgresTestDatabase::available() { return std::getenv(kVariable) != nullptr; }

PostgresTestDatabase::PostgresTestDatabase() : admin_(PQconnectdb(std::getenv(kVariable))) {
  static int count = 0;
  name_ = fmt::format("inventory_test_{}_{}", getpid(), ++count);
  PQsetNoticeProcessor(admin_.get(), [](void*, const char*) {}, nullptr);
  sql(fmt::format("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}; SET search_path = {0}",
                  name_));
}

PostgresTestDatabase::~PostgresTestDatabase() {
  // A failed test may have left a transaction open. Without one, ROLLBACK only warns.
  for (const auto& statement : {std::string("ROLLBACK"), "DROP SCHEMA " + name_ + " CASCADE"}) {
    const ResultHandle done(PQexec(admin_.get(), statement.c_str()));
  }
}

std::unique_ptr<Store> PostgresTestDatabase::open(boost::asio::any_io_executor executor) {
  return make_postgres_store(std::move(executor), options());
}

std::unique_ptr<Store> PostgresTestDatabase::open_as(boost::asio::any_io_executor executor,
                                                     const TablesOwner& owner) {
  PostgresOptions of_owner = options();
  of_owner.schema = owner.partition ? name_ : "";
  of_owner.owner = owner;
  return make_postgres_store(std::move(executor), std::move(of_owner));
}

std::unique_ptr<Reader> PostgresTestDatabase::open_reader() {
  return make_postgres_reader(options());
}

std::unique_ptr<Archiver> PostgresTestDatabase::open_archiver() {
  return make_postgres_archiver(options());
}

std::optional<domain::Quantity> PostgresTestDatabase::on_hand(domain::ProductId product) {
  const auto quantity = sql(fmt::format("SELECT quantity FROM inventory WHERE id = {}", product));
  return quantity.empty() ? std::nullopt : std::optional(std::stoll(quantity));
}

domain::Quantity PostgresTestDatabase::ledger_sum(domain::ProductId product) {
  return std::stoll(sql(fmt::format(
      "SELECT coalesce(sum(delta), 0) FROM inventory_ledger WHERE product_id = {}", product)));
}

void PostgresTestDatabase::make_python_table() {
  sql("CREATE TABLE inventory (id SERIAL NOT NULL, quantity INTEGER, description VARCHAR, "
      "created_at TIMESTAMP WITHOUT TIME ZONE, PRIMARY KEY (id))");
}

void PostgresTestDatabase::swallow_updates_of_the_ledger() {
  sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
      "CREATE TRIGGER swallowing BEFORE UPDATE ON inventory_ledger FOR EACH ROW EXECUTE FUNCTION "
      "swallow()");
}

void PostgresTestDatabase::meddle_with_updates(conformance::Meddling meddling,
                                               domain::ProductId product) {
  using conformance::Meddling;
  const auto* const done = meddling == Meddling::refuse    ? "RAISE EXCEPTION 'on hold'"
                           : meddling == Meddling::swallow ? "RETURN NULL"
                                                           : "NEW.quantity := OLD.quantity";
  sql(
      fmt::format("CREATE FUNCTION meddling() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
                  "NEW.id = {} THEN {}; END IF; RETURN NEW; END $$; CREATE TRIGGER meddling BEFORE "
                  "UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION meddling()",
                  product, done));
}

PostgresOptions PostgresTestDatabase::options(std::string_view settings) const {
  PostgresOptions options;
  options.connection_string = connection_string(settings, host(), port());
  options.lock_timeout = std::chrono::minutes(1);  // enough for a test to release its lock
  return options;
}

std::string PostgresTestDatabase::connection_string(std::string_view settings,
                                                    std::string_view hosts,
                                                    std::string_view ports) const {
  return fmt::format("host={} port={} dbname={} user={} password={} application_name={} options={}",
                     keyword_value(hosts), keyword_value(ports), keyword_value(PQdb(admin_.get())),
                     keyword_value(PQuser(admin_.get())), keyword_value(PQpass(admin_.get())),
                     name_, keyword_value(fmt::format("-c search_path={} {}", name_, settings)));
}

std::string PostgresTestDatabase::sql(const std::string& statements) const {
  return execute_on(admin_.get(), statements);
}

std::string PostgresTestDatabase::execute_on(PGconn* connection, const std::string& statements) {
  const ResultHandle result(PQexec(connection, statements.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(PQerrorMessage(connection));
  }
  return PQntuples(result.get()) == 0 || PQnfields(result.get()) == 0
             ? ""
             : PQgetvalue(result.get(), 0, 0);
}

// Within a transaction, pg_stat_activity does not change after it was first read.
int PostgresTestDatabase::count_connections(std::string_view condition) const {
  sql("SELECT pg_stat_clear_snapshot()");
  return std::stoi(
      sql(fmt::format("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND {}",
                      name_, condition)));
}

int PostgresTestDatabase::waiting() const { return count_connections("wait_event_type = 'Lock'"); }

int PostgresTestDatabase::connections() const { return count_connections("true"); }

void PostgresTestDatabase::terminate_connections() const {
  sql(
      fmt::format("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                  "WHERE application_name = '{}'",
                  name_));
}

conformance::Adapter postgres_adapter() {
  return {
      .name = "Postgres",
      .several_instances = true,
      .make_database = [] { return std::make_unique<PostgresTestDatabase>(); },
      .unavailable = PostgresTestDatabase::available() ? "" : PostgresTestDatabase::kUnavailable};
}

}  // namespace inventory::store::postgres
