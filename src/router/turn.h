#pragma once

// Turn: lets one coroutine after the other run, like a mutex.
//
//   const auto turn = co_await turns.take();

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace inventory::router {

class Turns {
 public:
  explicit Turns(const boost::asio::any_io_executor& executor) : taken_(executor, 1) {}

  // Held until it is destroyed. The turns outlive it.
  class Turn {
   public:
    explicit Turn(Turns& of) : of_(&of) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      of_->taken_.try_receive([](auto...) {});
    }

   private:
    Turns* of_;
  };

  boost::asio::awaitable<std::unique_ptr<Turn>> take() {
    boost::system::error_code never;  // nothing closes or cancels it
    co_await taken_.async_send({}, boost::asio::redirect_error(boost::asio::use_awaitable, never));
    co_return std::make_unique<Turn>(*this);
  }

 private:
  boost::asio::experimental::channel<void(boost::system::error_code)> taken_;
};

}  // namespace inventory::router
