#pragma once

// Settings: the table of all settings. Flags, environment, settings file, help and checks are made
// from it; a new setting is a new row and a member of Configuration.

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "config/configuration.h"

namespace inventory::config {

// The error is a clause that adds to "takes" what is wrong with the text; it may be empty.
using Applied = std::expected<void, std::string>;

struct Setting {
  std::string_view name;         // the flag without its dashes, and the key in a file
  std::string_view environment;  // the variable
  std::string_view placeholder;  // of the value, in the help
  std::string_view default_text;
  std::string_view description;  // what it is, with its unit
  std::string_view takes;        // what comes after "takes" in messages
  bool is_number = false;        // written without quotes in a file
  bool may_hold_credentials = false;
  bool is_switch = false;  // the flag without a value means "true"

  // Parses a text and sets the member of the configuration.
  Applied (*apply)(std::string_view text, Configuration& configuration);
};

// In the order in which help and --print-config show them.
std::span<const Setting> settings();

// QueueSettings: the settings that name the queues of a kind of request. All code that reads,
// checks or lists request queues uses this table.
struct QueueSettings {
  std::string_view kind;           // as service/kinds.h names it
  std::string_view queue_setting;  // a setting's name
  std::string Configuration::* queue;
  bool can_be_none;  // "none" is allowed: the queue's name is empty, and the kind switched off
  // Where replies go if the request has no reply_to. Empty and null: to the queue with the request
  // queue's name and "_response".
  std::string_view reply_queue_setting = {};
  std::string Configuration::* reply_queue = nullptr;
};

// A row for each kind; orders first.
std::span<const QueueSettings> queue_settings();

}  // namespace inventory::config
