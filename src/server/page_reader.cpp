#include "server/page_reader.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::server {

PageReader::PageReader(const boost::asio::any_io_executor& executor, OpenReader open,
                       std::chrono::milliseconds timeout)
    : executor_(executor), open_(std::move(open)), timeout_(timeout) {}

PageReader::~PageReader() {
  thread_.stop();
  thread_.join();
}

// Does not begin after the deadline: the caller has given up.
store::Result<void> PageReader::begin(TimePoint until) {
  if (std::chrono::steady_clock::now() >= until) {
    return std::unexpected(late());
  }
  if (!reader_) reader_ = open_();
  return reader_->begin();
}

void PageReader::end() {
  if (reader_) reader_->end();
}

void PageReader::report(const store::Error& error) {
  if (error.fault == store::Fault::refused) return;  // the client's request was invalid
  const auto left_out = failures_.admit(std::chrono::steady_clock::now());
  if (!left_out) return;
  spdlog::warn("http: a page cannot be read: {}{}", error.what,
               *left_out == 0 ? "" : fmt::format(" ({} lines like it left out)", *left_out));
}

store::Error PageReader::late() {
  return {store::Fault::unavailable, "the database has not answered in time"};
}

bool PageReader::may_pass_if_repeated(store::Fault fault) {
  switch (fault) {
    case store::Fault::retryable:
    case store::Fault::link_lost:
    case store::Fault::unavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace inventory::server
