#pragma once

// The command `dead-letters`: lists, shows, replays and purges dead letters.
//
// Invariants:
//   1. A dead letter is removed only by `purge`, or by `replay` once the broker has confirmed the
//      replayed request. However the command ends, the broker requeues what was not removed:
//      nothing is lost. A letter that was confirmed and not yet removed may be replayed twice; the
//      ledger recognizes the repetition.
//   2. It reads no more messages of a queue than were there when it began, so that a request that
//      becomes a dead letter again is not replayed again.

#include "cli/command.h"
#include "cli/commands/dead_letters/options.h"

namespace inventory::cli {

Command dead_letters_command();

// Returns the exit status: kExitDone; kExitNo if there is no such letter, some could not be
// replayed, or the user said no; kExitFailed without broker or queue.
int dead_letters(const config::Configuration& configuration, const DeadLettersOptions& options);

}  // namespace inventory::cli
