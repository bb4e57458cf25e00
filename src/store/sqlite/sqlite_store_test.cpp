// What is SQLite's own: one instance a file, the file's state, kills, the write-ahead log.
// What every store must do is in ../conformance_*_test.cpp.

#include "store/sqlite/sqlite_store.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "store/migration.h"
#include "store/sqlite/testing/sqlite_test_database.h"

namespace inventory::store::sqlite {

std::span<const Migration> migrations();  // embedded at build

namespace {

using conformance::kAccepted;
using conformance::kNotFound;
using conformance::order;
using conformance::OrderDecisions;
using conformance::replay;
using conformance::StoreOnLoop;
using domain::NewItem;
using testing::AllOf;
using testing::HasSubstr;

class SqliteStore : public testing::Test, public StoreOnLoop {
 protected:
  SqliteStore() : StoreOnLoop(std::make_unique<SqliteTestDatabase>()) {}

  SqliteTestDatabase& file() { return dynamic_cast<SqliteTestDatabase&>(*database_); }

  std::unique_ptr<Store> open_at(const std::string& path) {
    return make_sqlite_store(loop_.get_executor(), {.path = path});
  }

  // Expects that `store` is unavailable and returns the text that says why.
  std::string why_unavailable(Store& store) {
    const auto ready = run(store.ready());
    EXPECT_FALSE(ready);
    if (ready) {
      return "";
    }
    EXPECT_EQ(ready.error().fault, Fault::unavailable);
    return ready.error().what;
  }

  std::uintmax_t log_bytes() { return std::filesystem::file_size(file().path() + "-wal"); }

  // Writes 20 MB to the log.
  void write_much() {
    std::vector<NewItem> items;
    items.reserve(1'000);
    for (int i = 0; i < 1'000; ++i) {
      items.push_back({fmt::format("message {}", ++messages_), 1, std::string(10'000, 'x'), {}});
    }
    add(items);
  }

 private:
  int messages_ = 0;
};

// A process that decides orders on a file until it is killed: see testing/store_child.cpp.
class Child {
 public:
  explicit Child(std::string path) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = STORE_CHILD;
    std::array<char*, 3> arguments{program.data(), path.data(), nullptr};
    const int failed =
        posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed != 0) {
      close(ends[0]);
      throw std::runtime_error("no process of " + program);
    }
    output_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    close(output_);
  }

  pid_t process() const { return process_; }

  // The next line of its output; nothing at the end.
  std::optional<std::string> line() {
    std::string line;
    for (char next = 0; read(output_, &next, 1) == 1;) {
      if (next == '\n') {
        return line;
      }
      line.push_back(next);
    }
    return std::nullopt;
  }

  void kill() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
      process_ = 0;
    }
  }

 private:
  pid_t process_ = 0;
  int output_ = -1;
};

// For its life root is nobody: what a file's mode forbids is allowed to root.
class WithoutPrivileges {
 public:
  WithoutPrivileges() { change(kNobody); }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;
  ~WithoutPrivileges() { change(0); }

 private:
  static constexpr uid_t kNobody = 65'534;

  static void change(uid_t user) {
    if (getuid() == 0 && seteuid(user) != 0) {
      std::abort();
    }
  }
};

TEST_F(SqliteStore, AdmitsOneInstanceAFileAndSaysSoToTheSecond) {
  migrate();
  const auto second = open();
  EXPECT_THAT(why_unavailable(*second),
              AllOf(HasSubstr(file().path()), HasSubstr("another instance"),
                    HasSubstr(fmt::format("process {}", getpid()))));
  EXPECT_EQ(run(second->migrate()).error().fault, Fault::unavailable);
  store_.reset();
  EXPECT_TRUE(run(second->ready()));
}

TEST_F(SqliteStore, KnowsTheFileByItsLinksToo) {
  migrate();
  const TestFolder folder;
  const auto link = folder.path() / "link.db";
  std::filesystem::create_symlink(file().path(), link);
  EXPECT_THAT(why_unavailable(*open_at(link)), HasSubstr("another instance"));
}

TEST_F(SqliteStore, WaitsForNoOtherProcessThatHasTheFileOpen) {
  Child child(file().path());
  ASSERT_TRUE(child.line());
  EXPECT_THAT(
      why_unavailable(*store_),
      AllOf(HasSubstr("another instance"), HasSubstr(fmt::format("process {}", child.process()))));
  // Readers are welcome meanwhile.
  EXPECT_NE(file().query("SELECT count(*) FROM inventory"), "0");
  child.kill();
  EXPECT_TRUE(run(store_->ready()));
}

TEST_F(SqliteStore, KeepsEveryDecisionThatAKilledProcessHadCommitted) {
  for (const int commits : {1, 10, 100}) {
    Child child(file().path());
    const auto product = std::stoll(child.line().value_or("no line"));
    std::vector<domain::Order> orders;
    while (auto line = child.line()) {
      orders.push_back(order(std::stoll(*line), product, 1));
      if (std::ssize(orders) == commits) {
        child.kill();
      }
    }
    EXPECT_EQ(decide(orders), OrderDecisions(orders.size(), replay(kAccepted)));
    EXPECT_EQ(database_->on_hand(product), database_->ledger_sum(product));
    store_ = open();
  }
}

TEST_F(SqliteStore, SaysThatTheFileIsReadOnly) {
  migrate();
  store_.reset();
  const auto path = file().path();
  const auto folder = std::filesystem::path(path).parent_path();
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  chmod((path + "-lock").c_str(), 0666);
  chmod(path.c_str(), 0444);
  const WithoutPrivileges nobody;
  const auto store = open();
  EXPECT_THAT(why_unavailable(*store), AllOf(HasSubstr(path), HasSubstr("read-only")));
}

TEST_F(SqliteStore, SaysThatTheFolderIsReadOnly) {
  migrate();
  store_.reset();
  const auto path = file().path();
  std::filesystem::remove(path + "-lock");
  chmod(std::filesystem::path(path).parent_path().c_str(), 0555);
  const WithoutPrivileges nobody;
  const auto store = open();
  EXPECT_THAT(why_unavailable(*store),
              AllOf(HasSubstr(path + "-lock"), HasSubstr("Permission denied")));
}

TEST_F(SqliteStore, SaysThatTheFolderDoesNotExist) {
  const auto path = file().path() + ".d/inventory.db";
  const auto store = open_at(path);
  EXPECT_THAT(why_unavailable(*store), AllOf(HasSubstr(path), HasSubstr("migrate")));
  const auto applied = run(store->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::unavailable);
  EXPECT_THAT(applied.error().what, AllOf(HasSubstr(path), HasSubstr("No such file or directory")));
}

TEST_F(SqliteStore, SaysThatAPathNamesNoFile) {
  EXPECT_THAT(why_unavailable(*open_at("")), HasSubstr("not a path"));
  std::filesystem::create_directory(file().path());
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("unable to open database file"));
}

TEST_F(SqliteStore, MakesNoFileWhereNobodyMigrates) {
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("no such file"));
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(file().path()).parent_path()));
}

TEST_F(SqliteStore, SaysThatTheFileIsNoDatabase) {
  std::ofstream(file().path()) << std::string(5'000, 'x');
  EXPECT_THAT(why_unavailable(*store_),
              AllOf(HasSubstr("file is not a database"), HasSubstr("something else")));
}

TEST_F(SqliteStore, SaysThatTheFileIsDamaged) {
  migrate();
  store_.reset();
  {
    std::fstream database(file().path(), std::ios::in | std::ios::out | std::ios::binary);
    database.seekp(4'096);
    database << std::string(std::filesystem::file_size(file().path()) - 4'096, '\xff');
  }
  store_ = open();
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("damaged"));
}

TEST_F(SqliteStore, NoticesThatTheFileWasReplacedWhileItWasOpen) {
  migrate();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(file().path() + suffix);
  }
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("moved or deleted"));
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("no such file"));
  migrate();
  EXPECT_EQ(decide({order(1, 1, 1)}), OrderDecisions{kNotFound});
}

TEST_F(SqliteStore, LeavesTheFileToAnInstanceThatHoldsANewLockFile) {
  migrate();
  for (const char* suffix : {"", "-wal", "-shm", "-lock"}) {
    std::filesystem::remove(file().path() + suffix);
  }
  const auto next = open();
  ASSERT_TRUE(run(next->migrate()));
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("moved or deleted"));
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("another instance"));
}

TEST_F(SqliteStore, IsRetryableWhileAnotherProgramWrites) {
  migrate();
  const auto shirt = product(10);
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file().path().c_str(), &handle), SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> other(handle, sqlite3_close);
  ASSERT_EQ(sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::vector orders{order(1, shirt, 1)};
  const auto decided = run(decide_orders(*store_, orders));
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::retryable);
  EXPECT_THAT(decided.error().what, HasSubstr("locked"));
  sqlite3_exec(handle, "COMMIT", nullptr, nullptr, nullptr);
  EXPECT_EQ(decide(orders), OrderDecisions{kAccepted});
}

TEST_F(SqliteStore, RefusesWhatTheTablesDoNotTakeAndWritesNothingOfTheBatch) {
  migrate();
  const std::vector<NewItem> items{{"m1", 1, "a shirt", {}}, {"m2", -1, "less than none", {}}};
  const auto added = run(add_items(*store_, items));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().fault, Fault::refused);
  EXPECT_THAT(added.error().what, HasSubstr("CHECK constraint failed"));
  EXPECT_FALSE(add({items[0]}).at(0).replayed);
}

TEST_F(SqliteStore, IsUnavailableWhereIdsWereGivenBeforeAndSaysWhatToDo) {
  migrate();
  const auto last = product(1);
  const std::vector<NewItem> items{{"m1", 1, "a shirt", {}}};
  const auto expect_a_wrong_sequence = [&] {
    file().execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'inventory'");
    const auto added = run(add_items(*store_, items));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().fault, Fault::unavailable);
    EXPECT_THAT(added.error().what, HasSubstr("sqlite_sequence"));
  };
  expect_a_wrong_sequence();  // of an item that is there
  file().execute("DELETE FROM inventory");
  expect_a_wrong_sequence();  // of one that was
  file().execute(
      "UPDATE sqlite_sequence SET seq = (SELECT max(product_id) FROM inventory_ledger WHERE "
      "identity = 'opening') WHERE name = 'inventory'");
  EXPECT_EQ(add(items).at(0).item.id, last + 1);
}

TEST_F(SqliteStore, RefusesABatchThatIsTooLarge) {
  migrate();
  const std::vector orders(kBatchMax + 1, order(1, 1, 1));
  EXPECT_EQ(run(decide_orders(*store_, orders)).error().fault, Fault::refused);
  const std::vector<NewItem> items(kBatchMax + 1);
  EXPECT_EQ(run(add_items(*store_, items)).error().fault, Fault::refused);
}

TEST_F(SqliteStore, IsUnavailableWhereNoIdIsLeftAndSaysWhatToDo) {
  migrate();
  const auto last = product(1);
  file().execute("INSERT INTO inventory (id, quantity) VALUES (9007199254740990, 1)");
  EXPECT_EQ(product(1), 9'007'199'254'740'991);
  const std::vector<NewItem> items(1);
  const auto added = run(add_items(*store_, items));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().fault, Fault::unavailable);
  EXPECT_THAT(added.error().what, AllOf(HasSubstr("no item ids are left after 9007199254740991"),
                                        HasSubstr("sqlite_sequence")));
  file().execute("DELETE FROM inventory WHERE id >= 9007199254740990");
  file().execute(fmt::format("UPDATE sqlite_sequence SET seq = {} WHERE name = 'inventory'", last));
  EXPECT_EQ(add(items).at(0).item.id, last + 1);
}

TEST_F(SqliteStore, SaysWhichStoredAnswerItCannotRead) {
  migrate();
  file().execute(
      "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, "
      "decided_at) VALUES (1, 'i7', 'opening', 1, 0, '')");
  file().execute(
      "INSERT INTO inventory_item_request VALUES ('m1', 1, 1, NULL, 'yesterday', NULL, "
      "NULL)");
  const std::vector orders{order(7, 1, 1)};
  EXPECT_THAT(run(decide_orders(*store_, orders)).error().what,
              AllOf(HasSubstr("inventory_ledger"), HasSubstr("i7"), HasSubstr("'opening'")));
  const std::vector<NewItem> items{{"m1", 1, {}, {}}};
  const auto added = run(add_items(*store_, items));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().fault, Fault::failing);
  EXPECT_THAT(added.error().what, AllOf(HasSubstr("inventory_item_request"), HasSubstr("m1"),
                                        HasSubstr("'yesterday'")));
}

TEST_F(SqliteStore, NamesADeltaThatIsNoInteger) {
  migrate();
  for (const auto* delta : {"NULL", "'many'", "2.5", "x'00'"}) {
    file().execute(fmt::format(
        "DROP TABLE inventory_ledger; CREATE TABLE inventory_ledger (product_id INTEGER, identity "
        "TEXT, outcome TEXT, quantity, delta, decided_at TEXT, PRIMARY KEY (product_id, identity));"
        "INSERT INTO inventory_ledger (product_id, identity, delta) VALUES (1, 'i1', 5), "
        "(2, 'i7', {}), (2, 'i8', 5)",
        delta));
    const auto reader = file().open_reader();
    ASSERT_TRUE(reader->begin());
    EXPECT_TRUE(reader->ledger({}, 1));
    const auto part = reader->ledger({}, 10);
    ASSERT_FALSE(part) << delta;
    EXPECT_EQ(part.error().fault, Fault::failing);
    EXPECT_THAT(
        part.error().what,
        HasSubstr("table inventory_ledger, product_id 2, identity i7: delta is no integer"));
  }
}

// A table that was made anew without STRICT holds whatever it is given.
TEST_F(SqliteStore, NamesEveryQuantityThatIsNoInteger) {
  migrate();
  const auto shirt = product(10);
  file().execute(
      "DROP TABLE inventory; CREATE TABLE inventory (id INTEGER PRIMARY KEY AUTOINCREMENT, "
      "quantity, description TEXT, created_at TEXT, version INTEGER DEFAULT 0, low_stock);"
      "INSERT INTO inventory (id, quantity) VALUES (1, 10), (2, 'many'), (3, 2.5), (4, NULL), "
      "(5, x'00')");
  const std::vector orders{order(1, 5, 1), order(1, 4, 1), order(1, 3, 1), order(1, 2, 1),
                           order(1, shirt, 1)};
  const auto decided = run(decide_orders(*store_, orders));
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::failing);
  EXPECT_EQ(decided.error().products, (std::vector<domain::ProductId>{2, 3, 4, 5}));
  EXPECT_THAT(decided.error().what,
              HasSubstr("table inventory, id 2: quantity is 'many'; and 3 rows more"));
  EXPECT_EQ(decide({orders.back()}), OrderDecisions{kAccepted});
  const auto reader = file().open_reader();
  ASSERT_TRUE(reader->begin());
  EXPECT_TRUE(reader->stock(0, 1));
  for (const auto& [after, value] :
       {std::pair{1, "'many'"}, {2, "2.5"}, {3, "NULL"}, {4, "a BLOB"}}) {
    const auto text = fmt::format("product {}: quantity is {}", after + 1, value);
    EXPECT_THAT(reader->stock(after, 1).error().what, HasSubstr(text));
    EXPECT_EQ(reader->items(after, 1, 1)->at(0).quantity, std::nullopt);
  }
}

TEST_F(SqliteStore, AddsNoItemThatATriggerSwallowsOrWritesOver) {
  migrate();
  product(1);
  const std::vector<NewItem> items{{"m1", 5, {}, {}}, {{}, 6, {}, {}}};
  for (const auto* trigger :
       {"BEFORE INSERT ON inventory BEGIN SELECT RAISE(IGNORE); END",
        "BEFORE INSERT ON inventory_ledger BEGIN SELECT RAISE(IGNORE); END",
        "BEFORE INSERT ON Inventory_Item_Request BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON inventory BEGIN UPDATE inventory SET id = id + 100 WHERE id = NEW.id; "
        "END"}) {
    file().execute(fmt::format("CREATE TRIGGER meddling {}", trigger));
    const auto added = run(add_items(*store_, items));
    ASSERT_FALSE(added) << trigger;
    EXPECT_EQ(added.error().fault, Fault::failing) << added.error().what;
    EXPECT_THAT(added.error().what, HasSubstr("trigger"));
    file().execute("DROP TRIGGER meddling");
    EXPECT_EQ(file().query("SELECT count(*) FROM inventory"), "1");
  }
  file().execute(
      "CREATE TRIGGER harmless AFTER INSERT ON inventory BEGIN UPDATE inventory SET description = "
      "'new' WHERE id = NEW.id; END");
  EXPECT_FALSE(add(items).at(0).replayed);
}

// SQL of the operator's that is wrong for all is not taken for one request's.
TEST_F(SqliteStore, IsUnavailableSoonWhereATriggerCannotBeRun) {
  migrate();
  const auto shirt = product(10);
  const std::vector orders{order(1, shirt, 1)};
  file().execute(
      "CREATE TRIGGER broken BEFORE UPDATE ON inventory BEGIN INSERT INTO missing VALUES (1); END");
  EXPECT_EQ(run(decide_orders(*store_, orders)).error().fault, Fault::failing);
  EXPECT_THAT(why_unavailable(*store_), HasSubstr("missing"));
  file().execute("DROP TRIGGER broken");
  EXPECT_EQ(decide(orders), OrderDecisions{kAccepted});
}

// All wait for it: there is one thread.
TEST_F(SqliteStore, InterruptsATriggerThatTakesTooLong) {
  migrate();
  const auto shirt = product(10);
  file().execute(
      fmt::format("CREATE TRIGGER endless BEFORE UPDATE ON inventory WHEN NEW.id = {} BEGIN SELECT "
                  "count(*) FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
                  "FROM numbers) SELECT n FROM numbers); END",
                  shirt));
  store_.reset();
  store_ =
      make_sqlite_store(loop_.get_executor(),
                        {.path = file().path(), .statements_max = std::chrono::milliseconds(20)});
  const std::vector orders{order(1, shirt, 1)};
  for (const auto locks : {Locks::wait, Locks::skip}) {
    const auto failed = run(decide_orders(*store_, orders, locks));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().fault, Fault::failing);
    EXPECT_THAT(failed.error().what, HasSubstr("interrupted (code 9); it takes too long"));
  }
  const auto tried = run(store_->try_another(std::vector<domain::ProductId>()));
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().fault, Fault::failing) << tried.error().what;
  file().execute("DROP TRIGGER endless");
  EXPECT_EQ(decide(orders), OrderDecisions{kAccepted});
}

// A file with an earlier version of the schema, as the program of then left it.
void make_file_of_version(int version, const std::string& path) {
  std::string sql;
  for (const Migration& migration : migrations().first(static_cast<std::size_t>(version))) {
    sql += fmt::format("{}; INSERT INTO inventory_migration VALUES ({}, '{}', '');", migration.sql,
                       migration.version, migration.name);
  }
  sql +=
      "INSERT INTO inventory VALUES (1, 3, 'a shirt', '2026-01-01 00:00:00.000000');"
      "INSERT INTO inventory_ledger VALUES (1, 'opening', 'opening', 5, 5, ''), "
      "(1, 'i7', 'accepted', 2, -2, ''), (1, 'i8', 'not_enough_stock', 9, 0, '');"
      "INSERT INTO inventory_item_request VALUES "
      "('m1', 1, 5, 'a shirt', '2026-01-01 00:00:00.000000')";
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
      << (error == nullptr ? "" : error);
  sqlite3_free(error);
  sqlite3_close(handle);
}

class EarlierSchema : public SqliteStore, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(SqliteStore, EarlierSchema, testing::Values(1, 2));

TEST_P(EarlierSchema, IsBroughtUpToDateWithAllThatItHolds) {
  make_file_of_version(GetParam(), file().path());
  EXPECT_EQ(run(store_->migrate()), 3 - GetParam());
  EXPECT_EQ(decide({order(7, 1, 2), order(8, 1, 9), order(9, 1, 1)}),
            (OrderDecisions{replay(kAccepted),
                            replay({.outcome = domain::Outcome::not_enough_stock}), kAccepted}));
  const auto again = add({{"m1", 5, "a shirt", {}}});
  EXPECT_TRUE(again.at(0).replayed);
  EXPECT_EQ(again.at(0).item.id, 1);
  EXPECT_EQ(file().query("SELECT quantity || ' ' || version FROM inventory"), "2 1");
  EXPECT_EQ(product(1), 2);
}

TEST_F(SqliteStore, AdoptsNoTableWithAColumnThatWouldBeLost) {
  file().execute("CREATE TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, shelf TEXT)");
  const auto applied = run(store_->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::refused);
  EXPECT_THAT(applied.error().what, HasSubstr("shelf"));
}

TEST_F(SqliteStore, AdoptsNoQuantityThatIsNoInteger) {
  database_->make_python_table();
  file().execute("INSERT INTO inventory (id, quantity) VALUES (1, 5), (2, 2.5), (3, 'many')");
  const auto applied = run(store_->migrate());
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().what, AllOf(HasSubstr("2 of its rows"), HasSubstr("id 2")));
}

TEST_F(SqliteStore, AdoptsDescriptionsTimesAndTheViewsOnTheTable) {
  database_->make_python_table();
  file().execute("INSERT INTO inventory VALUES (1, 5, 'a shirt', '2021-03-15 12:05:57.105542')");
  file().execute("INSERT INTO inventory VALUES (2, 6, NULL, NULL)");
  file().execute("CREATE VIEW pieces AS SELECT sum(quantity) FROM inventory");
  migrate();
  EXPECT_EQ(file().query("SELECT description FROM inventory WHERE id = 1"), "a shirt");
  EXPECT_EQ(file().query("SELECT created_at FROM inventory WHERE id = 1"),
            "2021-03-15 12:05:57.105542");
  EXPECT_EQ(file().query("SELECT * FROM pieces"), "11");
}

TEST_F(SqliteStore, KeepsItsLogSmallUnderSteadyWork) {
  migrate();
  for (int i = 0; i < 10; ++i) {
    write_much();
    EXPECT_LT(log_bytes(), 100'000'000U);
  }
}

TEST_F(SqliteStore, CutsItsLogBackAfterAReaderHeldIt) {
  migrate();
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file().path().c_str(), &handle), SQLITE_OK);
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> reader(handle, sqlite3_close);
  sqlite3_exec(handle, "BEGIN; SELECT count(*) FROM inventory", nullptr, nullptr, nullptr);
  while (log_bytes() < 150'000'000) {
    write_much();
  }
  reader.reset();
  // Within the next 64 MiB a checkpoint gets through, and the commit after it begins the log anew.
  for (int i = 0; i < 6; ++i) {
    write_much();
  }
  EXPECT_LT(log_bytes(), 140'000'000U);
}

TEST_F(SqliteStore, AnswersTheCallsThatAreOutstandingWhenItEnds) {
  migrate();
  const auto shirt = product(10'000);
  std::vector<domain::Order> orders;
  orders.reserve(5'000);
  for (int i = 0; i < 5'000; ++i) {
    orders.push_back(order(i, shirt, 1));
  }
  const std::vector<NewItem> items{{"m1", 1, {}, {}}};
  auto decided = start(decide_orders(*store_, orders));
  auto added = start(add_items(*store_, items));
  auto ready = start(store_->ready());
  store_.reset();

  const auto decisions = finish(decided);
  EXPECT_TRUE(decisions || decisions.error().fault == Fault::link_lost);
  const auto new_items = finish(added);
  EXPECT_TRUE(new_items || new_items.error().fault == Fault::link_lost);
  const auto answered = finish(ready);
  EXPECT_TRUE(answered || answered.error().fault == Fault::link_lost);

  // What was answered with a value was written, what was answered with an error was not.
  store_ = open();
  EXPECT_EQ(decide(orders)[0].replayed, decisions.has_value());
  EXPECT_EQ(add(items)[0].replayed, new_items.has_value());
}

TEST_F(SqliteStore, EndsWithItsLoopThoughACallWasOutstanding) {
  migrate();
  const std::vector orders{order(1, 1, 1)};
  (void)start(decide_orders(*store_, orders));
  store_.reset();
  // The loop ends without having run the call's end: nothing leaks, nothing crashes.
}

// The table is made anew, which is nobody's loss.
TEST_F(SqliteStore, KeepsIndexesTriggersAndUniqueConstraintsOfATableThatItAdopts) {
  file().execute(
      "CREATE TABLE Inventory (id INTEGER PRIMARY KEY, quantity INTEGER CHECK (quantity >= 0), "
      "description TEXT COLLATE NOCASE, created_at TEXT, UNIQUE (description));"
      "CREATE TABLE changes (id INTEGER, quantity INTEGER);"
      "CREATE INDEX by_quantity ON inventory (quantity) WHERE quantity < 5;"
      "CREATE TRIGGER watch AFTER UPDATE OF quantity ON inventory BEGIN INSERT INTO changes VALUES "
      "(NEW.id, NEW.quantity); END;"
      "CREATE TRIGGER added AFTER INSERT ON inventory BEGIN INSERT INTO changes VALUES (NEW.id, "
      "-1); "
      "END;"
      "INSERT INTO inventory VALUES (3, 10, 'a shirt', '2021-03-15 12:05:57.105542');"
      "DELETE FROM changes");
  EXPECT_EQ(run(store_->plan_migration())->tables, MigrationPlan::Origin::adopted);
  migrate();
  EXPECT_EQ(file().query("SELECT count(*) FROM changes"), "0");
  EXPECT_EQ(decide({order(1, 3, 4)}), OrderDecisions{kAccepted});
  EXPECT_EQ(file().query("SELECT id || ' ' || quantity FROM changes"), "3 6");
  EXPECT_EQ(file().query("SELECT count(*) FROM sqlite_schema WHERE name = 'by_quantity'"), "1");
  EXPECT_ANY_THROW(file().execute("INSERT INTO inventory VALUES (4, 1, 'A SHIRT', '')"));
  EXPECT_EQ(run(store_->migrate()).value_or(-1), 0);
}

TEST_F(SqliteStore, FindsAllThatKeepsATableFromBeingAdoptedAtOnce) {
  file().execute(
      "CREATE TABLE inventory (id INTEGER, quantity INTEGER, description TEXT, created_at TEXT);"
      "INSERT INTO inventory VALUES (1, 2.5, '', ''), (2, 1, '', ''), (2, 1, '', ''), "
      "(NULL, 1, x'00', '')");
  const auto plan = run(store_->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_THAT(plan->obstacles, testing::ElementsAre(HasSubstr("1 of its rows have a quantity"),
                                                    HasSubstr("1 of its rows have an id"),
                                                    HasSubstr("1 ids have more than one row"),
                                                    HasSubstr("1 of its rows have a description")));
  const auto migrated = run(store_->migrate());
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().fault, Fault::refused);
  for (const auto& obstacle : plan->obstacles) {
    EXPECT_THAT(migrated.error().what, HasSubstr(obstacle));
  }
  EXPECT_EQ(file().query("SELECT count(*) FROM inventory"), "4");
}

TEST_F(SqliteStore, AdoptsNoTableWhoseColumnsOrChecksWouldBeLost) {
  for (const auto* made :
       {"TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT, created_at "
        "TEXT, sku TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER CHECK (quantity < 9), "
        "description "
        "TEXT, created_at TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER REFERENCES x (id), description "
        "TEXT, created_at TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER CHECK /* few */ (quantity < 9), "
        "description TEXT, created_at TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description AS ('no ' || id), "
        "created_at TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT UNIQUE ON "
        "CONFLICT REPLACE, created_at TEXT)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT UNIQUE, "
        "created_at TEXT); CREATE INDEX inventory_unique_1 ON inventory (quantity)",
        "TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT, created_at "
        "TEXT); CREATE TABLE inventory_migration (id INTEGER)",
        "VIEW inventory AS SELECT 1 AS id, 2 AS quantity, '' AS description, '' AS created_at"}) {
    file().execute(fmt::format("CREATE {}", made));
    const auto plan = run(store_->plan_migration());
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->obstacles.size(), 1U) << made;
    EXPECT_FALSE(run(store_->migrate())) << made;
    file().execute(fmt::format("DROP {} inventory; DROP TABLE IF EXISTS inventory_migration",
                               std::string(made).substr(0, 5)));
  }
}

TEST_F(SqliteStore, AdoptsATableWhoseTextOnlyLooksAsIfSomethingWouldBeLost) {
  file().execute(
      "CREATE TABLE inventory (id INTEGER PRIMARY KEY, -- CHECK (id > 7), GENERATED, REFERENCES x\n"
      "quantity INTEGER CHECK (\"quantity\" >= 0), description TEXT DEFAULT 'check (it''s)', "
      "created_at TEXT)");
  migrate();
  file().execute("INSERT INTO inventory (quantity) VALUES (4)");
  EXPECT_EQ(file().query("SELECT description FROM inventory"), "check (it's)");
}

TEST_F(SqliteStore, KeepsDefaultsCollationsAndAKeyThatIsNotTheId) {
  file().execute(
      "CREATE TABLE inventory (id INTEGER NOT NULL, quantity INTEGER DEFAULT 5, description TEXT "
      "COLLATE NOCASE PRIMARY KEY, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);"
      "INSERT INTO inventory VALUES (3, 10, 'a shirt', '2021-03-15 12:05:57.105542')");
  migrate();
  file().execute("INSERT INTO inventory (description) VALUES ('Socks')");
  EXPECT_EQ(file().query("SELECT id || ' ' || quantity || ' ' || length(created_at) FROM inventory "
                         "WHERE description = 'SOCKS'"),
            "4 5 19");
  EXPECT_ANY_THROW(file().execute("INSERT INTO inventory (description) VALUES ('A SHIRT')"));
  EXPECT_EQ(file().query("SELECT quantity FROM inventory_ledger WHERE product_id = 3"), "10");
  EXPECT_EQ(decide({order(1, 3, 4)}), OrderDecisions{kAccepted});
}

TEST_F(SqliteStore, SaysWhatSqliteRefusesToMakeAgain) {
  file().execute(
      "CREATE TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT, "
      "created_at TEXT)");
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file().path().c_str(), &handle), SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> other(handle, sqlite3_close);
  sqlite3_create_collation(handle, "of_the_shop", SQLITE_UTF8, nullptr,
                           [](void*, int, const void*, int, const void*) { return 0; });
  ASSERT_EQ(
      sqlite3_exec(handle, "CREATE INDEX words ON inventory (description COLLATE of_the_shop)",
                   nullptr, nullptr, nullptr),
      SQLITE_OK);
  const auto plan = run(store_->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_THAT(plan->obstacles,
              testing::ElementsAre(AllOf(HasSubstr("as a trial"), HasSubstr("of_the_shop"))));
  EXPECT_FALSE(run(store_->migrate()));
  EXPECT_EQ(file().query("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'inventory_%'"), "0");
}

TEST_F(SqliteStore, SaysWhatOfARowIsWrongBesideWhatIsWrongOfTheTable) {
  file().execute(
      "CREATE TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT CHECK "
      "(description <> ''), created_at TEXT); INSERT INTO inventory VALUES (1, -1, 'a', '')");
  const auto plan = run(store_->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_THAT(plan->obstacles, testing::ElementsAre(HasSubstr("CHECK (description <> '')"),
                                                    HasSubstr("1 of its rows have a quantity")));
}

TEST_F(SqliteStore, MakesNoFileToSayWhatItWouldDo) {
  const auto plan = run(store_->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->tables, MigrationPlan::Origin::made);
  EXPECT_FALSE(std::filesystem::exists(file().path()));
}

}  // namespace
}  // namespace inventory::store::sqlite
