#pragma once

// Settings: the one table of what can be configured. Flags, environment, settings file, help and
// checks are all made of it; a new setting is a new row and a member of Configuration.

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "config/configuration.h"

namespace inventory::config {

// What a text is refused for: a clause beyond what the setting takes, or nothing to add.
using Applied = std::expected<void, std::string>;

struct Setting {
  std::string_view name;         // the flag without its dashes, and the key in a file
  std::string_view environment;  // the variable
  std::string_view placeholder;  // of the value, in the help
  std::string_view default_text;
  std::string_view description;  // what it is, with its unit
  std::string_view takes;        // goes on after "takes"
  bool is_number = false;        // written without quotes in a file
  bool may_hold_credentials = false;
  bool is_switch = false;  // the flag without a value stands for "true"

  // Parses a text and puts it into its member of the configuration.
  Applied (*apply)(std::string_view text, Configuration& configuration);
};

// In the order in which help and --print-config show them.
std::span<const Setting> settings();

// QueueSettings: the settings that name the queues of a kind of request. Whoever reads, checks or
// lists request queues reads this table.
struct QueueSettings {
  std::string_view kind;           // as service/kinds.h names it
  std::string_view queue_setting;  // a setting's name
  std::string Configuration::* queue;
  bool can_be_none;  // that switches the kind off, and the queue's name is empty
  // Where replies go whose request names no reply_to. Empty and null: to the queue of the request
  // queue's name and "_response".
  std::string_view reply_queue_setting = {};
  std::string Configuration::* reply_queue = nullptr;
};

// A row for each kind; orders first.
std::span<const QueueSettings> queue_settings();

}  // namespace inventory::config
