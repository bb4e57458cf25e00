#pragma once

// What to do about an error of the server, by its SQLSTATE
// (https://www.postgresql.org/docs/15/errcodes-appendix.html).

#include <string_view>

#include "store/error.h"

namespace inventory::store::postgres {

// ServerError: what an error says of itself. Empty members: it does not say.
struct ServerError {
  std::string_view sqlstate;      // empty: the server said nothing, the link is lost
  std::string_view constraint;    // the name of the violated constraint
  std::string_view source_file;   // of the server: tells apart what shares a SQLSTATE
  bool ends_the_session = false;  // FATAL or PANIC
  bool has_context = false;       // it says where: in a function, which a trigger has called
};

// What the link, the session or the server as a whole is the cause of is named, and nothing else
// holds up everybody. What the data of a request causes, whenever it is repeated, is `refused`. All
// that is left is `failing`: a trigger's error, a foreign key, a right, a damaged block, SQLSTATEs
// that nobody has thought of. Where the whole database is wrong, every request fails for itself,
// and the caller sees that.
Fault fault_of(const ServerError& error);

// Whether a new session may do what this one cannot: it holds plans and what it knows of the
// schema, and both grow old (0A000 "cached plan must not change result type", XX000 "cache lookup
// failed").
bool may_be_of_the_session(std::string_view sqlstate);

}  // namespace inventory::store::postgres
