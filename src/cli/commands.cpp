#include "cli/commands.h"

#include "cli/commands/add.h"
#include "cli/commands/adjust.h"
#include "cli/commands/archive/archive.h"
#include "cli/commands/cancel.h"
#include "cli/commands/confirm.h"
#include "cli/commands/dead_letters/dead_letters.h"
#include "cli/commands/import/import.h"
#include "cli/commands/ledger.h"
#include "cli/commands/migrate.h"
#include "cli/commands/order.h"
#include "cli/commands/route.h"
#include "cli/commands/serve.h"
#include "cli/commands/stock.h"
#include "cli/commands/verify.h"

namespace inventory::cli {

std::vector<Command> commands() {
  return {
      serve_command(),        route_command(),   migrate_command(), verify_command(),
      add_command(),          order_command(),   confirm_command(), cancel_command(),
      adjust_command(),       import_command(),  stock_command(),   ledger_command(),
      dead_letters_command(), archive_command(),
  };
}

}  // namespace inventory::cli
