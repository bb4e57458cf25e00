// A link that is cut at every place in turn must not make the PostgreSQL store break a promise.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>
#include <set>

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "faults/failing_calls.h"
#include "faults/link_gate.h"
#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using faults::Cut;
using faults::LinkGate;

constexpr domain::ProductId kShirt = 1;
constexpr domain::Quantity kShirts = 1'000'000;

constexpr std::size_t kLastBytes = 80;
constexpr std::size_t kLastStep = 5;

// On demand the link is cut after each byte, in each test run after each so many.
std::size_t step(std::size_t in_each_run) {
  return std::getenv("INVENTORY_TEST_EVERY_FAULT") != nullptr ? 1 : in_each_run;
}

enum class To { client, server };

// How a call ended, and whether it has written.
struct Ending {
  std::optional<Fault> fault;
  bool written;

  auto operator<=>(const Ending&) const = default;
};
using Endings = std::set<Ending>;

void PrintTo(const Ending& ending, std::ostream* out) {
  constexpr std::array kNames{"retryable", "in doubt", "link lost", "unavailable", "refused"};
  *out << (ending.fault ? kNames.at(static_cast<std::size_t>(*ending.fault)) : "done")
       << (ending.written ? " and written" : " and not written");
}

constexpr Ending kDone{.fault = std::nullopt, .written = true};
constexpr Ending kLost{.fault = Fault::link_lost, .written = false};
constexpr Ending kDoubtful{.fault = Fault::in_doubt, .written = false};
constexpr Ending kDoubtfulButDone{.fault = Fault::in_doubt, .written = true};

class LinkFaults : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!schema) {
      return;
    }
    gate = std::make_unique<LinkGate>(
        loop.get_executor(),
        boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address(schema->host()),
                                       static_cast<std::uint16_t>(std::stoi(schema->port()))));
  }

  // Tables with one product.
  void make_tables() {
    migrated_store();
    schema->sql(
        fmt::format("INSERT INTO inventory VALUES ({0}, {1}, NULL, now()); INSERT INTO "
                    "inventory_ledger VALUES ({0}, 'opening', 'opening', {1}, {1})",
                    kShirt, kShirts));
  }

  std::unique_ptr<Store> store_behind_gate() {
    auto options = schema->options();
    options.connection_string =
        schema->connection_string("", "127.0.0.1", std::to_string(gate->port()));
    return store(options);
  }

  void arm(To to, std::size_t cut_after, Cut cut) {
    armed = to;
    const faults::Faults cutting{.cut_after = cut_after};
    gate->arm(to == To::client ? cutting : faults::Faults{},
              to == To::server ? cutting : faults::Faults{}, cut);
  }

  // The link is sound again.
  void disarm() {
    met = gate->has_cut();
    cuts += met ? 1 : 0;
    needed = armed == To::client ? gate->bytes_to_client() : gate->bytes_to_server();
    gate->disarm();
  }

  // Until the server has noticed that its links are gone, and has ended what went on over them.
  void wait_for_the_server() {
    run_until([&] { return schema->connections() == 0; });
  }

  // Calls attempt(name, begin) over a sound link, then over one that is cut after 0 bytes, `step`
  // bytes, 2 `step` bytes..., until the call needs no more. The last bytes, which answer COMMIT,
  // are not stepped over. `name` is another each time; begin() makes the link faulty.
  template <class Attempt>
  Endings cut_everywhere(To to, std::size_t step, Attempt attempt) {
    Endings endings{attempt(std::string("sound"), [&] { arm(to, faults::kNever, Cut::close); })};
    const std::size_t near_the_end = std::max(needed, kLastBytes) - kLastBytes;
    met = true;
    for (std::size_t at = 0; met && !HasFailure();
         at += at < near_the_end ? step : std::min(step, kLastStep)) {
      const Cut cut = at % 2 == 0 ? Cut::close : Cut::reset;
      const auto name = fmt::format("{} {} {}", to == To::client ? "to client" : "to server", at,
                                    cut == Cut::close ? "closed" : "reset");
      SCOPED_TRACE(name);
      endings.insert(attempt(name, [&] { arm(to, at, cut); }));
    }
    return endings;
  }

  void TearDown() override { RecordProperty("cuts", cuts); }

  std::unique_ptr<LinkGate> gate;
  To armed = To::client;
  bool met = false;        // the last call has met its fault
  std::size_t needed = 0;  // the bytes that it has used
  int cuts = 0;
};

class OrderLinkFaults : public LinkFaults {
 protected:
  static Orders orders_of(const std::string& name) {
    return {{domain::OrderId(name + " a"), kShirt, 1},
            {domain::OrderId(name + " b"), kShirt, 2},
            {domain::OrderId(name + " c"), kShirt + 1, 1}};
  }

  // How many of them are in the ledger.
  std::string written(const std::string& name) {
    return schema->sql(
        fmt::format("SELECT count(*) FROM inventory_ledger WHERE identity LIKE 's{} _'", name));
  }

  std::string shirts() {
    return schema->sql(fmt::format(
        "SELECT quantity = (SELECT sum(delta) FROM inventory_ledger WHERE product_id = {0}) FROM "
        "inventory WHERE id = {0}",
        kShirt));
  }

  // Decides a batch once over a link that begin() makes faulty and end() sound, then again.
  template <class Begin, class End>
  Ending decide_and_repeat(Store& client, const std::string& name, Begin begin, End end) {
    const auto orders = orders_of(name);
    begin();
    const auto first = run(decide_orders(client, orders));
    end();
    if (!first) {
      wait_for_the_server();
    }
    const auto rows = written(name);
    EXPECT_TRUE(rows == "0" || rows == "3") << rows << " of 3 orders were written";
    EXPECT_EQ(shirts(), "t") << "stock and ledger disagree";
    const bool was_written = rows == "3";
    const Decisions fresh{kAccepted, kAccepted, kNotFound};
    if (first) {
      EXPECT_EQ(*first, fresh);
      EXPECT_TRUE(was_written);
    }
    const auto again = run(decide_orders(client, orders));
    EXPECT_TRUE(again) << again.error().what;
    if (again) {
      EXPECT_EQ(*again, was_written
                            ? (Decisions{replay(kAccepted), replay(kAccepted), replay(kNotFound)})
                            : fresh);
    }
    EXPECT_EQ(written(name), "3");
    EXPECT_EQ(shirts(), "t") << "stock and ledger disagree";
    return {first ? std::nullopt : std::optional(first.error().fault), was_written};
  }

  void check_new_links(To to, std::size_t bytes, const Endings& required) {
    make_tables();
    const auto endings = cut_everywhere(to, bytes, [&](const auto& name, auto begin) {
      const auto client = store_behind_gate();
      return decide_and_repeat(*client, name, begin, [&] { disarm(); });
    });
    EXPECT_THAT(endings, testing::IsSubsetOf({kDone, kLost, kDoubtful, kDoubtfulButDone}));
    EXPECT_THAT(endings, testing::IsSupersetOf(required));
  }

  // Over a link that worked before, which the store takes for one that went away while it was idle.
  void check_links_in_use(To to, std::size_t bytes, const Endings& required) {
    make_tables();
    const auto client = store_behind_gate();
    const auto endings = cut_everywhere(to, bytes, [&](const auto& name, auto begin) {
      EXPECT_TRUE(run(decide_orders(*client, orders_of("before " + name))));
      return decide_and_repeat(*client, name, begin, [&] { disarm(); });
    });
    EXPECT_THAT(endings, testing::IsSubsetOf({kDone, kDoubtful, kDoubtfulButDone}));
    EXPECT_THAT(endings, testing::IsSupersetOf(required));
  }
};

TEST_F(OrderLinkFaults, KnowsWhatWasWrittenWhereverANewLinksAnswersAreCutOff) {
  check_new_links(To::client, step(13), {kDone, kLost, kDoubtfulButDone});
}

TEST_F(OrderLinkFaults, KnowsWhatWasWrittenWhereverANewLinksRequestsAreCutOff) {
  check_new_links(To::server, step(29), {kDone, kLost, kDoubtful});
}

TEST_F(OrderLinkFaults, KnowsWhatWasWrittenWhereverTheAnswersOfALinkInUseAreCutOff) {
  check_links_in_use(To::client, step(7), {kDone, kDoubtfulButDone});
}

TEST_F(OrderLinkFaults, KnowsWhatWasWrittenWhereverTheRequestsOfALinkInUseAreCutOff) {
  check_links_in_use(To::server, step(13), {kDone, kDoubtful});
}

// An order of several items, a cancellation of an order that has not come, an adjustment.
class KindsLinkFaults : public LinkFaults {
 protected:
  static std::vector<domain::Command> commands_of(const std::string& name) {
    return {
        domain::Basket{.id = domain::OrderId(name + " a"), .items = {{kShirt, 1}, {kSock, 1}}},
        domain::Cancellation{.id = domain::OrderId(name + " b"), .items = {{kShirt, std::nullopt}}},
        domain::Adjustment{.id = domain::OrderId(name + " c"), .product = kSock, .change = 2}};
  }

  std::string written(const std::string& name) {
    return schema->sql(
        fmt::format("SELECT count(*) FROM inventory_ledger WHERE identity LIKE '%s{} _'", name));
  }

  void expect_agreement() {
    EXPECT_EQ(schema->sql("SELECT bool_and(quantity = (SELECT sum(delta) FROM inventory_ledger "
                          "WHERE product_id = id)) FROM inventory"),
              "t")
        << "stock and ledger disagree";
  }

  static std::vector<bool> replays(const std::vector<domain::Decision>& decisions) {
    std::vector<bool> replayed;
    for (const auto& decision : decisions) {
      EXPECT_TRUE(domain::outcome_of(decision) == domain::Outcome::accepted ||
                  domain::outcome_of(decision) == domain::Outcome::cancelled ||
                  domain::outcome_of(decision) == domain::Outcome::adjusted);
      replayed.push_back(domain::is_replayed(decision));
    }
    return replayed;
  }

  template <class Begin>
  Ending decide_and_repeat(const std::string& name, Begin begin) {
    const auto client = store_behind_gate();
    const auto commands = commands_of(name);
    begin();
    const auto first = run(client->execute(commands, Locks::wait));
    disarm();
    if (!first) wait_for_the_server();
    const auto rows = written(name);
    EXPECT_TRUE(rows == "0" || rows == "4") << rows << " of 4 entries were written";
    expect_agreement();
    const bool was_written = rows == "4";
    EXPECT_TRUE(was_written || !first);
    const auto again = run(client->execute(commands, Locks::wait));
    EXPECT_TRUE(again) << again.error().what;
    if (again) {
      EXPECT_EQ(replays(*again), std::vector<bool>(3, was_written));
    }
    EXPECT_EQ(written(name), "4");
    expect_agreement();
    return {first ? std::nullopt : std::optional(first.error().fault), was_written};
  }

  void check(To to, std::size_t bytes, const Endings& required) {
    make_tables();
    schema->sql(
        fmt::format("INSERT INTO inventory VALUES ({0}, {1}, NULL, now()); INSERT INTO "
                    "inventory_ledger VALUES ({0}, 'opening', 'opening', {1}, {1})",
                    kSock, kShirts));
    const auto endings = cut_everywhere(
        to, bytes, [&](const auto& name, auto begin) { return decide_and_repeat(name, begin); });
    EXPECT_THAT(endings, testing::IsSubsetOf({kDone, kLost, kDoubtful, kDoubtfulButDone}));
    EXPECT_THAT(endings, testing::IsSupersetOf(required));
  }

  static constexpr domain::ProductId kSock = 2;
};

TEST_F(KindsLinkFaults, KnowsWhatWasWrittenWhereverALinksAnswersAreCutOff) {
  check(To::client, step(23), {kDone, kLost, kDoubtfulButDone});
}

TEST_F(KindsLinkFaults, KnowsWhatWasWrittenWhereverALinksRequestsAreCutOff) {
  check(To::server, step(47), {kDone, kLost, kDoubtful});
}

class ItemLinkFaults : public LinkFaults {
 protected:
  std::string count(const std::string& table, const std::string& condition) {
    return schema->sql(fmt::format("SELECT count(*) FROM {} WHERE {}", table, condition));
  }

  template <class Begin>
  Ending add_and_repeat(const std::string& name, Begin begin) {
    const auto client = store_behind_gate();
    auto items = Items{item(name + " 1", 5), item(name + " 2", 6)};
    items[0].description = items[1].description = name;
    begin();
    const auto first = run(add_items(*client, items));
    disarm();
    if (!first) {
      wait_for_the_server();
    }
    const auto here = fmt::format("description = '{}'", name);
    const auto rows = count("inventory", here);
    EXPECT_TRUE(rows == "0" || rows == "2") << rows << " of 2 items were written";
    EXPECT_EQ(count("inventory_item_request", here), rows);
    const bool was_written = rows == "2";
    EXPECT_TRUE(was_written || !first);
    const auto again = run(add_items(*client, items));
    EXPECT_TRUE(again) << again.error().what;
    if (again) {
      EXPECT_EQ(again->front().replayed, was_written);
      EXPECT_EQ(again->back().replayed, was_written);
    }
    EXPECT_EQ(count("inventory", here), "2");
    EXPECT_EQ(count("inventory_ledger", "true"), count("inventory", "true")) << "one opening each";
    return {first ? std::nullopt : std::optional(first.error().fault), was_written};
  }

  void check(To to, std::size_t bytes, const Endings& required) {
    migrated_store();
    const auto endings = cut_everywhere(
        to, bytes, [&](const auto& name, auto begin) { return add_and_repeat(name, begin); });
    EXPECT_THAT(endings, testing::IsSubsetOf({kDone, kLost, kDoubtful, kDoubtfulButDone}));
    EXPECT_THAT(endings, testing::IsSupersetOf(required));
  }
};

TEST_F(ItemLinkFaults, AddsAnItemOnceWhereverALinksAnswersAreCutOff) {
  check(To::client, step(19), {kDone, kLost, kDoubtfulButDone});
}

TEST_F(ItemLinkFaults, AddsAnItemOnceWhereverALinksRequestsAreCutOff) {
  check(To::server, step(31), {kDone, kLost, kDoubtful});
}

class SchemaLinkFaults : public LinkFaults {
 protected:
  static constexpr int kMigrations = 2;

  // Migrates over a link that `begin` makes faulty, then again.
  template <class Begin>
  Ending migrate_and_repeat(Begin begin) {
    schema->sql(fmt::format("DROP SCHEMA {0} CASCADE; CREATE SCHEMA {0}", schema->name()));
    schema->make_python_table();
    schema->sql("INSERT INTO inventory VALUES (3, 10, 'a shirt', now())");
    const auto client = store_behind_gate();
    begin();
    const auto first = run(client->migrate());
    disarm();
    if (!first) {
      wait_for_the_server();
    }
    const bool has_begun = !schema->sql("SELECT to_regclass('inventory_migration')").empty();
    const int applied =
        has_begun ? std::stoi(schema->sql("SELECT count(*) FROM inventory_migration")) : 0;
    EXPECT_TRUE(applied == kMigrations || !first);
    EXPECT_EQ(run(client->migrate()), kMigrations - applied);
    // Each has a COMMIT of its own, which may be in doubt.
    const bool is_in_doubt = !first && first.error().fault == Fault::in_doubt;
    const bool was_written = is_in_doubt ? applied > 0 : applied == kMigrations;
    EXPECT_TRUE(run(client->ready()));
    EXPECT_EQ(schema->sql("SELECT sum(delta) FROM inventory_ledger WHERE product_id = 3"), "10");
    return {first ? std::nullopt : std::optional(first.error().fault), was_written};
  }

  void check(To to, std::size_t bytes, const Endings& required) {
    const auto endings = cut_everywhere(
        to, bytes, [&](const auto&, auto begin) { return migrate_and_repeat(begin); });
    EXPECT_THAT(endings, testing::IsSubsetOf({kDone, kLost, kDoubtful, kDoubtfulButDone}));
    EXPECT_THAT(endings, testing::IsSupersetOf(required));
  }
};

TEST_F(SchemaLinkFaults, MigratesOnceWhereverALinksAnswersAreCutOff) {
  check(To::client, step(41), {kDone, kLost, kDoubtfulButDone});
}

TEST_F(SchemaLinkFaults, MigratesOnceWhereverALinksRequestsAreCutOff) {
  check(To::server, step(193), {kDone, kLost});
}

TEST_F(SchemaLinkFaults, IsReadyAgainAfterALinkThatWasCutOffAnywhere) {
  make_tables();
  for (const To to : {To::client, To::server}) {
    const auto endings = cut_everywhere(to, step(19), [&](const auto&, auto begin) {
      const auto client = store_behind_gate();
      begin();
      const auto first = run(client->ready());
      disarm();
      EXPECT_TRUE(run(client->ready()));
      return Ending{first ? std::nullopt : std::optional(first.error().fault), false};
    });
    EXPECT_EQ(endings, (Endings{{std::nullopt, false}, kLost}));
  }
}

TEST_F(OrderLinkFaults, KnowsWhatWasWrittenWhicheverSystemCallFails) {
  make_tables();
  faults::FailingCalls calls(static_cast<std::uint16_t>(std::stoi(schema->port())));
  Endings endings;
  std::set<std::string> failed;
  const auto client = store(schema->options());
  for (const bool is_new : {true, false}) {
    std::string met = "yes";
    for (int number = 0; !met.empty() && !HasFailure(); ++number) {
      const auto name = fmt::format("{} {}", is_new ? "new" : "in use", number);
      SCOPED_TRACE(name);
      const auto fresh = store(schema->options());
      endings.insert(decide_and_repeat(
          is_new ? *fresh : *client, name,
          [&] { calls.fail_after(number, faults::FailingCalls::Way::fails); },
          [&] {
            met = calls.disarm();
            failed.insert(met);
          }));
    }
    EXPECT_TRUE(run(client->ready()));
  }
  EXPECT_EQ(endings, (Endings{kDone, kLost, kDoubtful, kDoubtfulButDone}));
  EXPECT_EQ(failed, (std::set<std::string>{"", "socket", "connect", "getsockopt", "send", "recv"}));
}

TEST_F(OrderLinkFaults, DecidesTheSameWhereTheLinkBringsOneByteAtATime) {
  gate->arm({.piece = 1}, {.piece = 1});
  const auto client = store_behind_gate();
  EXPECT_EQ(run(client->migrate()), 2);
  EXPECT_TRUE(run(client->ready()));
  const auto added = run(add_items(*client, Items{item("m1", 5), item("m2", 6)}));
  ASSERT_TRUE(added) << added.error().what;
  const auto id = added->front().item.id;
  const Orders orders{order(1, id, 2), order(2, id, 4), order(3, 1'000, 1), order(1, id, 2)};
  EXPECT_EQ(run(decide_orders(*client, orders)),
            (Decisions{kAccepted, kNotEnough, kNotFound, replay(kAccepted)}));
  EXPECT_EQ(run(decide_orders(*client, orders)), (Decisions{replay(kAccepted), replay(kNotEnough),
                                                            replay(kNotFound), replay(kAccepted)}));
  EXPECT_EQ(schema->on_hand(id), 3);
  EXPECT_EQ(schema->connections(), 1);
}

}  // namespace
}  // namespace inventory::store::postgres
