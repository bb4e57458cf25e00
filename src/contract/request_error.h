#pragma once

// RequestError: why a request is not valid.

#include <cstdint>
#include <string>

namespace inventory::contract {

struct RequestError {
  enum class Reason : std::uint8_t {
    invalid,    // not a JSON object, or a member is missing or has a wrong value
    too_large,  // more bytes than are read
  };

  Reason reason;
  std::string what;  // names the member, for people: "quantity is missing"
};

}  // namespace inventory::contract
