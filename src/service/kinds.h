#pragma once

// The kinds of request: one row each, with all that the service, its metrics and the simulation
// need to make a flow of it.

#include <memory>
#include <span>
#include <string_view>

#include "domain/outcome.h"
#include "service/handler.h"

namespace inventory::service {

struct KindRow {
  std::string_view name;         // "order"
  std::string_view queue;        // a default, like the next two
  std::string_view reply_queue;  // for requests without reply_to
  bool declares_reply_queue;
  std::span<const Outcome> outcomes;  // that a valid request can have
  std::unique_ptr<Handler> (*make_handler)(HandlerOptions options, store::Store& store,
                                           const Clock& clock, Observer& observer);
};

std::span<const KindRow> kinds();

}  // namespace inventory::service
