#pragma once

// The commands `add` and `order`: one request, as any client of the service sends it.

#include "app/command_line.h"

namespace inventory::app {

// They print the reply's JSON to standard output, or say on standard error why there is none.
// Exit status: 0 accepted, 1 rejected, 2 no answer in time.
int add(const Configuration& configuration, const AddCommand& command);
int order(const Configuration& configuration, const OrderCommand& command);

}  // namespace inventory::app
