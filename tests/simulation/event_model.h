#pragma once

// EventModel: a second implementation of what docs/contract.md says about events: which there are,
// what each contains, and when the requests that cause it may be acknowledged.
//
// A transaction owes an event for each product whose level (or quantity) it has changed or whose
// request is repeated, for each hold that it gave back, and for each item that it added. An owed
// event is safe while a request that caused it is unacknowledged, because that request would be
// delivered again and the event published again. The last such request may be acknowledged only
// once the exchange has confirmed the event, or that of a later state of the product, to any
// process.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "amqp/message.h"
#include "domain/command.h"
#include "scheduler.h"
#include "tables.h"

namespace inventory::simulation {

struct Request;

inline constexpr std::string_view kExchange = "inventory-events";

class EventModel {
 public:
  using Broken = std::function<void(std::string_view promise, std::string_view how)>;
  EventModel(const Tables& tables, bool is_clean, Broken broken)
      : tables_(tables), is_clean_(is_clean), broken_(std::move(broken)) {}

  // Which events the service is configured to publish; empty: none.
  void set_telling(std::optional<domain::Telling> telling) { telling_ = telling; }

  // What a request asks for: its kind and identity. Empty if it has no identity.
  static std::string asked_by(const domain::Command& command);

  // The broker has the request: it will be delivered, or was and may be delivered again.
  void on_waiting(const Request& request);
  // This process has acknowledged the request.
  void on_acknowledged(const Request& request, const Life& process);

  // Decisions that were committed. `before`: the earlier stock of the products that the transaction
  // has locked; empty for those that it has added.
  using Stocks = std::map<domain::ProductId, std::optional<domain::Stock>>;
  void on_committed(std::span<const domain::Command> commands,
                    std::span<const domain::Decision> decisions, const Stocks& before,
                    const Life& process);

  // An event has reached the broker; the exchange has taken it; the service has got the confirm.
  void on_published(const amqp::Message& event);
  void on_told(const std::string& id);
  void on_confirmed(const std::string& id);

  // All queues are drained.
  void on_drained();

  std::uint64_t told() const { return told_; }
  std::uint64_t told_again() const { return told_again_; }

 private:
  using Askers = std::set<std::string>;
  struct Event {
    std::string routing_key;
    std::string text;  // without its time
    domain::ProductId product;
    std::optional<std::int64_t> version;  // if it is about the stock
    bool is_told = false;
    bool is_confirmed = false;
  };
  struct Debt {
    std::int64_t version;
    Askers askers;
    const Life* again_by;  // if owed for a repetition only: another process may have published it
  };
  // What a transaction does with a product.
  struct Touched {
    Askers askers = {};
    Askers again = {};  // those of them that were decided before
  };

  void see_item(const domain::NewItem& request, const domain::ItemDecision& decision);
  void see_expiry(const domain::Expiry& expiry, const domain::ExpiryDecision& decision);
  void see_stock(domain::ProductId product, const Touched& touched,
                 const std::optional<domain::Stock>& before, const Life& process);
  void owe_stock(domain::ProductId product, const domain::Stock& stock, const Askers& askers,
                 const Life* again_by);
  void owe(std::string id, std::string asked, Event event);
  bool is_worth_telling(const domain::Stock& before, const domain::Stock& after) const;
  bool is_anyone_waiting(const Askers& askers, domain::ProductId product) const;

  const Tables& tables_;
  const bool is_clean_;
  Broken broken_;
  std::optional<domain::Telling> telling_;
  std::map<std::string, Event> events_;  // by id: all that may be published
  std::map<domain::ProductId, std::vector<Debt>> stock_debts_;
  std::map<std::string, Askers> other_debts_;                // by id of the event
  std::map<domain::ProductId, std::int64_t> owed_versions_;  // the highest; so are these two
  std::map<domain::ProductId, std::int64_t> told_versions_;
  std::map<domain::ProductId, std::int64_t> confirmed_versions_;
  std::set<std::string> owed_;                               // other events, by id
  std::map<std::string, std::set<const Request*>> waiting_;  // by what they ask for
  std::uint64_t told_ = 0;
  std::uint64_t told_again_ = 0;
};

}  // namespace inventory::simulation
