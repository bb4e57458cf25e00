#pragma once

// Properties of a table that only the text of CREATE TABLE shows, and no pragma.

#include <string>
#include <string_view>
#include <vector>

namespace inventory::store::sqlite {

// The text of each CHECK other than `quantity >= 0` and of each ON CONFLICT, on one line.
// Recognises comments, strings and quoted names as SQLite's tokenizer does.
std::vector<std::string> conditions_of(std::string_view create_table);

}  // namespace inventory::store::sqlite
