#pragma once

// The command `dead-letters`: looks into the dead-letter queues, and repairs by hand.
//
// Invariants:
//   1. A dead letter is removed only by `purge`, or by `replay` once the broker has confirmed its
//      copy. Whatever ends the command, the broker puts back what was not removed: nothing is lost,
//      and what was confirmed and not yet removed may be replayed again (the ledger knows it).
//   2. It looks at no more messages of a queue than were there when it began: what comes back as a
//      dead letter is not replayed again.

#include "cli/command.h"
#include "cli/commands/dead_letters/options.h"

namespace inventory::cli {

Command dead_letters_command();

// Returns the exit status: kExitDone; kExitNo if nothing is there to be shown, letters were left
// that could not be replayed, or the person said no; kExitFailed without broker or queue.
int dead_letters(const config::Configuration& configuration, const DeadLettersOptions& options);

}  // namespace inventory::cli
