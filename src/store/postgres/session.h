#pragma once

// Session: one connection to PostgreSQL, over which statements travel in segments: all that were
// queued are sent at once, and one round trip brings all their results.
//
// Owns:     the connection.
// Threads:  one object on one executor.
// Suspends: synchronize(), script(). Cancelled or destroyed in between: the connection is gone, and
//           the server rolls back whatever was not committed.
// Errors:   values of store::Error. Their text says what was being done, where, and the server's
//           words with the SQLSTATE. in_doubt only if the segment held a COMMIT.
// Limits:   one segment or script at a time.
//
// libpq's pipeline mode (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html): after an
// error the server skips the rest of the segment, COMMIT included, and the transaction stays open.

#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/connect.h"

namespace inventory::store::postgres {

// Statement: a single SQL statement, prepared on a connection when it is first used there.
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

  // Connected, outside a transaction, and nothing under way.
  bool idle() const;

  // The connection is gone; so is what was not committed.
  bool lost() const { return lost_; }

  // host:port/database, for texts.
  const std::string& where() const { return where_; }

  // Queue a part of the next segment: a command without parameters, a statement with parameters in
  // binary format, or the COMMIT, which comes last.
  void command(const char* sql);
  void execute(const Statement& statement, std::initializer_list<std::string_view> parameters);
  void commit();

  // Sends the segment and reads its results: one for each queued part, in order, in binary format.
  // `doing` is for texts: "locking items".
  Task<Result<Results>> synchronize(const char* doing, Deadline deadline);

  // Runs statements without parameters, separated by semicolons, up to the first that fails.
  // Results are in text format. No COMMIT in it: use commit().
  Task<Result<Results>> script(const char* doing, std::string sql, Deadline deadline);

 private:
  enum class Part { prepare, statement, end };

  static void on_notice(void* session, const PGresult* notice);

  void queue(int sent, Part part, const char* name = nullptr);
  Task<Result<void>> flush(const char* doing, Deadline deadline);
  Task<Result<ResultHandle>> next_result(const char* doing, Deadline deadline);
  Task<Result<Results>> read_segment(const char* doing, Deadline deadline);
  Error lose(const char* doing, std::string_view why);
  Error server_error(const char* doing, const PGresult* result);

  ConnectionHandle connection_;
  SocketWait wait_;  // before connection_ is closed
  std::string where_;
  std::set<std::string_view> prepared_;

  // The segment that is being queued or is under way.
  struct Queued {
    Part part;
    const char* name;  // of a statement that is prepared
  };
  std::vector<Queued> queued_;
  bool committing_ = false;
  bool not_replicated_ = false;  // the server gave up waiting for a standby

  bool send_failed_ = false;
  bool lost_ = false;
};

}  // namespace inventory::store::postgres
