#include "store/postgres/session.h"

#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/fault.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

constexpr Statement kCommit{"commit", "COMMIT"};

constexpr std::string_view kAdminShutdown = "57P01";

std::string_view field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string_view() : value;
}

// The violated constraint. Any key on an item's id counts as the service's own, whatever its name:
// the id collides with one that somebody else inserted. The columns precede the values in every
// language; they are missing if the role may not read them.
std::string_view constraint_of(const PGresult* result) {
  const bool is_id_of_an_item =
      field(result, PG_DIAG_SQLSTATE) == "23505" &&
      field(result, PG_DIAG_TABLE_NAME) == "inventory" &&
      field(result, PG_DIAG_MESSAGE_DETAIL).find("(id)=(") != std::string_view::npos;
  return is_id_of_an_item ? "inventory_pkey" : field(result, PG_DIAG_CONSTRAINT_NAME);
}

// Advice that PostgreSQL's message does not give; else empty.
std::string_view advice(const PGresult* result) {
  const bool is_row_security =
      field(result, PG_DIAG_SQLSTATE) == "42501" && field(result, PG_DIAG_SOURCE_FILE) == "rls.c";
  return is_row_security
             ? "; row-level security hides rows from this role: ALTER ROLE ... BYPASSRLS "
               "for it, or ALTER TABLE ... DISABLE ROW LEVEL SECURITY"
             : "";
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

// More from PostgreSQL: the detail, and the function. Not for errors caused by a request's data,
// whose values they may repeat.
std::string particulars(const PGresult* result) {
  const auto named = [](std::string_view text) {
    return text.empty() ? "" : fmt::format("; {}", first_line(text));
  };
  return named(field(result, PG_DIAG_MESSAGE_DETAIL)) + named(field(result, PG_DIAG_CONTEXT));
}

}  // namespace

Session::Session(const boost::asio::any_io_executor& executor, Connected connected)
    : connection_(std::move(connected.handle)),
      wait_(executor, PQsocket(connection_.get())),
      where_(std::move(connected.where)) {
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeReceiver(connection_.get(), &Session::on_notice, this);
}

bool Session::idle() const {
  return !lost_ && !send_failed_ && queued_.empty() &&
         PQstatus(connection_.get()) == CONNECTION_OK &&
         PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

// COMMIT succeeds with a warning if its wait for a synchronous standby is cancelled. The text may
// be translated, so the name of the server's function is checked as well.
void Session::on_notice(void* session, const PGresult* notice) {
  if (field(notice, PG_DIAG_SOURCE_FUNCTION) == "SyncRepWaitForLSN" ||
      field(notice, PG_DIAG_MESSAGE_PRIMARY)
          .starts_with("canceling wait for synchronous replication")) {
    static_cast<Session*>(session)->not_replicated_ = true;
  }
}

void Session::queue(int sent, Part part, const char* name) {
  send_failed_ = send_failed_ || sent == 0;
  queued_.push_back({part, name});
}

void Session::command(const char* sql) {
  PQenterPipelineMode(connection_.get());
  queue(PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1),
        Part::statement);
}

void Session::execute(const Statement& statement,
                      std::initializer_list<std::string_view> parameters) {
  PQenterPipelineMode(connection_.get());
  if (!prepared_.contains(statement.name)) {
    queue(PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr),
          Part::prepare, statement.name);
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string_view parameter : parameters) {
    values.push_back(parameter.data());
    lengths.push_back(static_cast<int>(parameter.size()));
  }
  const std::vector<int> binary(parameters.size(), 1);
  queue(PQsendQueryPrepared(connection_.get(), statement.name, static_cast<int>(values.size()),
                            values.data(), lengths.data(), binary.data(), 1),
        Part::statement, statement.name);
}

void Session::commit() {
  assert(!committing_);  // it comes last in its segment
  execute(kCommit, {});
  committing_ = true;
}

Task<Result<Results>> Session::synchronize(const char* doing, Deadline deadline) {
  queue(PQpipelineSync(connection_.get()), Part::end);
  not_replicated_ = false;
  const auto sent = co_await flush(doing, deadline);
  if (!sent) {
    co_return std::unexpected(sent.error());
  }
  auto results = co_await read_segment(doing, deadline);
  if (lost_) {
    co_return results;
  }
  queued_.clear();
  in_transaction_ = PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS;
  const bool committed = std::exchange(committing_, false) && results;
  if (committed && not_replicated_) {
    co_return std::unexpected(Error{
        Fault::in_doubt, fmt::format("{} at PostgreSQL {}: committed, but perhaps not on a standby",
                                     doing, where_)});
  }
  co_return results;
}

Task<Result<Results>> Session::script(const char* doing, std::string sql, Deadline deadline) {
  assert(queued_.empty() && !committing_);  // one segment or script at a time
  // Several statements in one string need the simple protocol, which pipeline mode excludes.
  if (PQexitPipelineMode(connection_.get()) == 0) {
    co_return std::unexpected(lose(doing, PQerrorMessage(connection_.get())));
  }
  queue(PQsendQuery(connection_.get(), sql.c_str()), Part::statement);
  const auto sent = co_await flush(doing, deadline);
  if (!sent) {
    co_return std::unexpected(sent.error());
  }
  Result<Results> results;
  for (;;) {
    auto result = co_await next_result(doing, deadline);
    if (!result) {
      co_return std::unexpected(result.error());
    }
    if (!*result) {
      break;
    }
    if (PQresultStatus(result->get()) == PGRES_FATAL_ERROR) {
      results = std::unexpected(server_error(doing, result->get(), queued_.front()));
      if (lost_) {
        co_return results;
      }
    } else if (results) {
      results->push_back(std::move(*result));
    }
  }
  queued_.clear();
  co_return results;
}

// The server may stop reading until its results are read, so this also reads.
Task<Result<void>> Session::flush(const char* doing, Deadline deadline) {
  if (send_failed_) {
    co_return std::unexpected(lose(doing, PQerrorMessage(connection_.get())));
  }
  // After a failure to send, the server's last message can still be read.
  while (PQflush(connection_.get()) == 1) {
    const bool in_time = co_await wait_.readable_or_writable(deadline);
    if (!in_time) {
      co_return std::unexpected(lose(doing, "the server did not answer in time"));
    }
    if (PQconsumeInput(connection_.get()) == 0) {
      co_return std::unexpected(lose(doing, PQerrorMessage(connection_.get())));
    }
  }
  co_return Result<void>();
}

Task<Result<ResultHandle>> Session::next_result(const char* doing, Deadline deadline) {
  while (PQisBusy(connection_.get()) != 0) {
    const bool in_time = co_await wait_.readable(deadline);
    if (!in_time) {
      co_return std::unexpected(lose(doing, "the server did not answer in time"));
    }
    if (PQconsumeInput(connection_.get()) == 0) {
      break;  // the server's last message, if any, is the next result
    }
  }
  ResultHandle result(PQgetResult(connection_.get()));
  const bool is_error = result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR;
  if (is_error && field(result.get(), PG_DIAG_SQLSTATE).empty()) {
    co_return std::unexpected(lose(doing, PQresultErrorMessage(result.get())));
  }
  if (!is_error && PQstatus(connection_.get()) == CONNECTION_BAD) {
    co_return std::unexpected(lose(doing, PQerrorMessage(connection_.get())));
  }
  co_return result;
}

// libpq returns for each part its result, then NULL; for the sync, only its result.
Task<Result<Results>> Session::read_segment(const char* doing, Deadline deadline) {
  Result<Results> results;
  std::size_t at = 0;
  for (;;) {
    auto result = co_await next_result(doing, deadline);
    if (!result) {
      co_return std::unexpected(result.error());
    }
    if (at == queued_.size()) {
      co_return std::unexpected(lose(doing, "more results than statements"));
    }
    if (!*result) {
      ++at;
      continue;
    }
    switch (PQresultStatus(result->get())) {
      case PGRES_PIPELINE_SYNC:
        assert(at + 1 == queued_.size());  // each part has its result
        co_return results;
      case PGRES_FATAL_ERROR:
        results = std::unexpected(server_error(doing, result->get(), queued_[at]));
        if (lost_) {
          co_return results;
        }
        break;
      case PGRES_PIPELINE_ABORTED:  // skipped after an error
        break;
      default:
        if (queued_[at].part == Part::prepare) {
          prepared_.insert(queued_[at].name);
        } else if (results) {
          results->push_back(std::move(*result));
        }
    }
  }
}

Error Session::lose(const char* doing, std::string_view why) {
  lost_ = true;
  return {committing_ ? Fault::in_doubt : Fault::link_lost,
          fmt::format("{} at PostgreSQL {}: {}{}", doing, where_, first_line(why),
                      committing_ ? "; whether it was committed is not known" : "")};
}

Error Session::server_error(const char* doing, const PGresult* result, const Queued& failed) {
  const auto sqlstate = field(result, PG_DIAG_SQLSTATE);
  const auto severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const auto message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (auto mark = find_mark(sqlstate, message)) {
    return write_error(doing, std::move(*mark));
  }
  const auto text = fmt::format("{} ({}){}{}", message, sqlstate, advice(result),
                                failed.name == nullptr ? particulars(result) : "");
  const bool is_fatal = severity == "FATAL" || severity == "PANIC";
  Fault fault = fault_of({.sqlstate = sqlstate,
                          .constraint = constraint_of(result),
                          .source_file = field(result, PG_DIAG_SOURCE_FILE),
                          .ends_the_session = is_fatal,
                          .has_context = !field(result, PG_DIAG_CONTEXT).empty()});
  if (is_fatal) {  // the server closes the connection after it
    // Nothing was committed unless the failed part is COMMIT, which is the last. If the server is
    // shutting down, the next try shows that; else a trigger may have ended its own session.
    const bool is_commit = failed.name != nullptr && std::string_view(failed.name) == kCommit.name;
    if (!is_commit) committing_ = false;
    const bool is_of_the_session = sqlstate == kAdminShutdown && in_transaction_ && !is_commit;
    Error error = lose(doing, text);
    if (!committing_) error.fault = is_of_the_session ? Fault::retryable : fault;
    return error;
  }
  // No row has been read yet: a table is missing, or a standby refuses to write. Later, a row's
  // trigger may have changed search_path or timeouts; and a trigger of an earlier batch may have
  // dropped prepared statements (26000).
  const bool is_begin = failed.name != nullptr && std::string_view(failed.name) == kBegin.name;
  const bool is_before_rows =
      !in_transaction_ && sqlstate != "26000" && (failed.part == Part::prepare || is_begin);
  if (is_before_rows && (fault == Fault::failing || fault == Fault::refused)) {
    fault = Fault::unavailable;
  }
  // The transaction began READ WRITE: a trigger may have made it read-only.
  if (in_transaction_ && sqlstate.starts_with("25")) fault = Fault::failing;
  is_doubtful_ = is_doubtful_ || may_be_of_the_session(sqlstate);
  return {fault, fmt::format("{} at PostgreSQL {}: {}", doing, where_, text)};
}

Error Session::write_error(const char* doing, WriteMark mark) {
  if (mark.is_interfered_with) {
    checks_writes_ = true;
    has_begun_to_check_ = true;
    return {Fault::retryable,
            fmt::format("{} at PostgreSQL {}: a table has a trigger or a rule, so that what is "
                        "written must be checked",
                        doing, where_)};
  }
  return {
      Fault::failing,
      fmt::format("{} at PostgreSQL {}: the tables do not hold what was written to them, and it "
                  "was rolled back (table and product: {}); a trigger or a rule is the likely "
                  "cause",
                  doing, where_, mark.differing),
      std::move(mark.products)};
}

}  // namespace inventory::store::postgres
