#pragma once

// Session: one connection to PostgreSQL. Statements are queued and sent together, as a segment; one
// round trip brings all their results.
//
// Owns:     the connection.
// Threads:  one object on one executor.
// Suspends: synchronize(), script(). Cancelled or destroyed meanwhile: the connection is closed,
//           and the server rolls back what was not committed.
// Errors:   values of store::Error. The text says what was being done, where, and the server's
//           message with its SQLSTATE. in_doubt only if the segment contained a COMMIT.
// Limits:   one segment or script at a time.
//
// libpq's pipeline mode (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html): after an
// error the server skips the rest of the segment, COMMIT included, and the transaction stays open.

#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/postgres/connect.h"
#include "store/postgres/write_check.h"

namespace inventory::store::postgres {

// Statement: a single SQL statement, prepared on each connection at its first use there.
struct Statement {
  const char* name;
  const char* sql;
};

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;
using Results = std::vector<ResultHandle>;

class Session {
 public:
  Session(const boost::asio::any_io_executor& executor, Connected connected);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  // Connected, outside a transaction, and nothing in progress.
  bool idle() const;

  // The connection is lost, and with it what was not committed.
  bool lost() const { return lost_; }

  // Whether this session checks what it writes (write_check.h), and whether it has begun to since
  // the last call: then the work that failed for that reason must be repeated.
  bool checks_writes() const { return checks_writes_; }
  bool has_begun_to_check() { return std::exchange(has_begun_to_check_, false); }

  // An error may come from this session's caches: a new session may succeed.
  bool is_doubtful() const { return is_doubtful_; }

  // Whether tables may be on other nodes (Citus). Set when the session is set up.
  bool has_remote_tables() const { return has_remote_tables_; }
  void set_remote_tables(bool has_them) { has_remote_tables_ = has_them; }

  // host:port/database, for messages.
  const std::string& where() const { return where_; }

  // Queue a part of the next segment: a command without parameters, a statement with parameters in
  // binary format, or the COMMIT, which comes last.
  void command(const char* sql);
  void execute(const Statement& statement, std::initializer_list<std::string_view> parameters);
  void commit();

  // Sends the segment and reads its results: one for each queued part, in order, in binary format.
  // `doing` is for messages: "locking items".
  Task<Result<Results>> synchronize(const char* doing, Deadline deadline);

  // Runs statements without parameters, separated by semicolons, up to the first that fails.
  // Results are in text format. It must not contain COMMIT: use commit().
  Task<Result<Results>> script(const char* doing, std::string sql, Deadline deadline);

 private:
  enum class Part { prepare, statement, end };

  struct Queued {
    Part part;
    const char* name;  // of a prepared statement; else null
  };

  static void on_notice(void* session, const PGresult* notice);

  void queue(int sent, Part part, const char* name = nullptr);
  Task<Result<void>> flush(const char* doing, Deadline deadline);
  Task<Result<ResultHandle>> next_result(const char* doing, Deadline deadline);
  Task<Result<Results>> read_segment(const char* doing, Deadline deadline);
  Error lose(const char* doing, std::string_view why);
  Error server_error(const char* doing, const PGresult* result, const Queued& failed);
  Error write_error(const char* doing, WriteMark mark);

  ConnectionHandle connection_;
  SocketWait wait_;  // destroyed before connection_ is closed
  std::string where_;
  std::set<std::string_view> prepared_;

  // The segment being queued or in progress.
  std::vector<Queued> queued_;
  bool in_transaction_ = false;  // begun by an earlier segment
  bool committing_ = false;
  bool not_replicated_ = false;  // the server gave up waiting for a standby

  bool has_remote_tables_ = false;
  bool checks_writes_ = false;
  bool has_begun_to_check_ = false;
  bool is_doubtful_ = false;
  bool send_failed_ = false;
  bool lost_ = false;
};

}  // namespace inventory::store::postgres
