#pragma once

// What only the text of CREATE TABLE says, and no pragma.

#include <string>
#include <string_view>
#include <vector>

namespace inventory::store::sqlite {

// Each CHECK beside `quantity >= 0`, and each ON CONFLICT: its text, in one line. Comments, strings
// and quoted names are taken for what they are, as SQLite's tokenizer does.
std::vector<std::string> conditions_of(std::string_view create_table);

}  // namespace inventory::store::sqlite
