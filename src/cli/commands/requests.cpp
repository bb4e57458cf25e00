#include "cli/commands/requests.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <boost/json/parse.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "cli/request_client.h"
#include "contract/json_object.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

std::string json_string(std::string_view text) {
  std::string json;
  contract::append_json_string(json, text);
  return json;
}

std::string json_of(const domain::OrderId& id) {
  const auto* text = std::get_if<std::string>(&id.value());
  return text != nullptr ? json_string(*text) : id.display();
}

int send(const config::Configuration& configuration, std::string queue, std::string body,
         std::chrono::seconds timeout) {
  ClientRequest request{.queue = std::move(queue),
                        .body = std::move(body),
                        .id = to_string(boost::uuids::random_generator()())};
  const auto reply = ask(configuration, std::move(request), timeout);
  if (!reply) return report_failure(reply.error());
  fmt::print("{}\n", terminal::printable_json(*reply));
  return is_success(*reply) ? kExitDone : kExitNo;
}

}  // namespace

bool is_success(std::string_view reply) {
  boost::system::error_code error;
  const auto value = boost::json::parse(reply, error);
  if (error || !value.is_object()) {
    return false;
  }
  const auto* success = value.get_object().if_contains("success");
  return success != nullptr && success->is_bool() && success->get_bool();
}

std::string item_request(domain::Quantity quantity, const std::optional<std::string>& description) {
  auto body = fmt::format(R"({{"quantity":{})", quantity);
  if (description) {
    body += fmt::format(R"(,"description":{})", json_string(*description));
  }
  return body + "}";
}

int add(const config::Configuration& configuration, const AddCommand& command) {
  return send(configuration, configuration.item_queue,
              item_request(command.quantity, command.description), command.timeout);
}

int order(const config::Configuration& configuration, const OrderCommand& command) {
  return send(configuration, configuration.order_queue,
              fmt::format(R"({{"order_id":{},"product_id":{},"quantity":{}}})",
                          json_of(command.order_id), command.product_id, command.quantity),
              command.timeout);
}

}  // namespace inventory::cli
