#pragma once

// That the tables hold what a batch wrote to them.
//
// A trigger or a rule may swallow a write, or write something else, and PostgreSQL counts it as
// done. RETURNING does not tell: a table with rules refuses it, and triggers run after it. So:
//   1. Statements that a batch runs anyway ask whether a table has anything that could interfere:
//      before the writes for rules, because CREATE RULE waits for who has read a table; with the
//      last write for triggers, because CREATE TRIGGER waits for who has written to it. If so, they
//      fail with a mark. (Asked apart, and without the rest, it is cheap: 12 us a batch.)
//   2. The session then checks: the batch is done again, with a statement before its COMMIT that
//      reads back what was written, and fails with a mark that names what differs.
// Where nothing can interfere, as in most databases, nothing is read twice.
//
// A mark is an error that SQL can raise without a function in the database: text that is cast to a
// number. The server's message repeats it, in any language.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/order.h"

namespace inventory::store::postgres {

// Conditions for a WHERE clause: `parameter` ("$3", a boolean: the session checks), or nothing of
// the kind is on the tables ("to_regclass('inventory'), ...": looked up each time, they may be
// others).
std::string unless_rules(std::string_view tables, std::string_view parameter);
std::string unless_triggers(std::string_view tables, std::string_view parameter);

// A query that fails if the subquery `differing` has rows of (relation, product_id). It names them.
std::string fail_for(std::string_view differing);

// A boolean as a parameter in binary format.
inline std::string_view binary_boolean(bool value) {
  return value ? std::string_view("\1", 1) : std::string_view("\0", 1);
}

// What a mark says.
struct WriteMark {
  bool is_interfered_with = false;          // of 1.; else of 2.
  std::string differing;                    // relation and product, some of them, for texts
  std::vector<domain::ProductId> products;  // each once
};

// Nothing where the error is not of such a cast, or its message holds no mark.
std::optional<WriteMark> find_mark(std::string_view sqlstate, std::string_view message);

}  // namespace inventory::store::postgres
