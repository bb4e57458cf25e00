#pragma once

// How to handle an error of the server, by its SQLSTATE
// (https://www.postgresql.org/docs/15/errcodes-appendix.html).

#include <string_view>

#include "store/error.h"

namespace inventory::store::postgres {

// ServerError: the fields of an error message. Empty members: not in the message.
struct ServerError {
  std::string_view sqlstate;      // empty: no message came, the link is lost
  std::string_view constraint;    // the name of the violated constraint
  std::string_view source_file;   // of the server: tells errors with the same SQLSTATE apart
  bool ends_the_session = false;  // FATAL or PANIC
  bool has_context = false;       // it names a function, which a trigger has called
};

// Errors of the link, the session or the server as a whole are listed; only these stop all
// requests. Errors that the data of a request causes every time are `refused`. All others are
// `failing`: a trigger's error, a foreign key, a missing privilege, a damaged block, unknown
// SQLSTATEs. If the whole database is broken, every single request fails, and the caller notices.
Fault fault_of(const ServerError& error);

// Whether a new session may succeed where this one fails: a session caches plans and catalogue
// entries, and both become stale (0A000 "cached plan must not change result type", XX000 "cache
// lookup failed").
bool may_be_of_the_session(std::string_view sqlstate);

}  // namespace inventory::store::postgres
