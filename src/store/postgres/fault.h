#pragma once

// What to do about an error of the server, by its SQLSTATE
// (https://www.postgresql.org/docs/15/errcodes-appendix.html).

#include <string_view>

#include "store/error.h"

namespace inventory::store::postgres {

// `sqlstate` is empty if the server said nothing: the link is lost. `constraint` is the name of
// the violated constraint, or empty; `source_file` that of the server's source which raised the
// error, or empty: it tells apart what shares a SQLSTATE, in any language and version.
//
// Only what the server refuses because of the data of a batch is `refused`. A fault of the
// database, of its schema or of rights is never the sender's: it is `unavailable`, to be retried.
Fault fault_of(std::string_view sqlstate, std::string_view constraint,
               std::string_view source_file = "");

}  // namespace inventory::store::postgres
