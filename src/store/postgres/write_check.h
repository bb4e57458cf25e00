#pragma once

// Checks that the tables contain what a batch wrote to them.
//
// A trigger or a rule may swallow or change a write, and PostgreSQL still reports success.
// RETURNING does not help: a table with rules refuses it, and triggers run after it. So:
//   1. Statements that a batch runs anyway test whether a table has anything that could interfere:
//      for rules before the writes, because CREATE RULE waits for readers of the table; for
//      triggers with the last write, because CREATE TRIGGER waits for writers. If so, they fail
//      with a mark. (This is cheap: 12 us per batch if measured alone.)
//   2. The session then checks: the batch is repeated, with a statement before its COMMIT that
//      reads back what was written and, if it differs, fails with a mark that names the rows.
// If nothing can interfere, as in most databases, nothing is read twice.
//
// A mark is an error that plain SQL can raise, without a function in the database: text cast to a
// number. The server's message repeats the text, in any language.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/order.h"

namespace inventory::store::postgres {

// Conditions for a WHERE clause: `parameter` ("$3", a boolean: the session checks), or the tables
// have no rules (triggers). `tables`: "to_regclass('inventory'), ...", looked up each time because
// they may be replaced.
std::string unless_rules(std::string_view tables, std::string_view parameter);
std::string unless_triggers(std::string_view tables, std::string_view parameter);

// A query that fails if the subquery `differing` has rows (relation, product_id), and names them.
std::string fail_for(std::string_view differing);

// A boolean as a parameter in binary format.
inline std::string_view binary_boolean(bool value) {
  return value ? std::string_view("\1", 1) : std::string_view("\0", 1);
}

// What a mark says.
struct WriteMark {
  bool is_interfered_with = false;          // by step 1; else step 2
  std::string differing;                    // relations and products, some of them, for messages
  std::vector<domain::ProductId> products;  // each once
};

// Empty if the error is not from such a cast, or its message contains no mark.
std::optional<WriteMark> find_mark(std::string_view sqlstate, std::string_view message);

}  // namespace inventory::store::postgres
