#pragma once

// SimulatedClients: publish requests of every kind, lose their connections, publish again, publish
// twice, too early and too late, and leave.

#include <string>
#include <string_view>
#include <vector>

#include "environment.h"
#include "simulated_broker.h"

namespace inventory::simulation {

class SimulatedClients {
 public:
  // Products 1 to `products` exist from the beginning.
  SimulatedClients(Environment& environment, SimulatedBroker& broker, std::uint64_t products);

  // Plans all requests, within this time. Returns the times at which bursts begin.
  std::vector<Time> begin(Time within);

  // Whether every request was sent, and the broker has each at least once.
  bool is_done() const { return unsent_ == 0; }

  // Plans many orders at once that share a bad reply queue or product.
  void flood(const std::string& reply_to);
  void flood(domain::ProductId product);

  // The reply queues and addresses of clients.
  std::vector<std::string> queues() const;

  // Deletes one client's queue. It may be declared again with the same name.
  void one_leaves();

 private:
  struct Letter {
    Kind kind;
    amqp::Properties properties;
    std::string body;
    std::optional<std::string> undecodable = std::nullopt;
  };

  Letter write();
  Letter write_order();
  Letter write_item();
  Letter write_about_an_order(Kind kind);  // a cancellation or a confirmation
  Letter write_expiry();
  Letter write_other();
  void follow(const Letter& order, Time sent);
  Letter write_adjustment();
  std::string basket_body(std::string_view id);
  std::string order_body();
  std::string order_body(std::string_view id, std::uint64_t product);
  std::string hold();
  std::string some_id(std::uint64_t number);
  std::string invalid_body();
  void make_undecodable(Letter& letter);
  Letter write_again(Letter earlier);
  void plan(Letter letter, Time delay);
  void send(const Letter& letter);

  Environment& environment_;
  SimulatedBroker& broker_;
  std::uint64_t products_;
  bool has_all_kinds_;  // else only orders and items, of which more can be checked
  std::vector<std::string> reply_queues_;
  std::vector<Letter> written_;
  std::uint64_t last_id_ = 0;
  std::uint64_t unsent_ = 0;
};

}  // namespace inventory::simulation
