#pragma once

// Exit status of every command.

#include <string_view>

namespace inventory::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;      // done, but the answer is no: rejected, or some are left
inline constexpr int kExitUsage = 2;   // a wrong command line or setting
inline constexpr int kExitFailed = 3;  // could not be done: no broker, no database, no answer

// Says on standard error why a command could not be done. Returns kExitFailed.
int report_failure(std::string_view why);

}  // namespace inventory::cli
