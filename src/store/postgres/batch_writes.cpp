#include "store/postgres/batch_writes.h"

#include <algorithm>

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/transaction.h"
#include "store/postgres/write_check.h"

namespace inventory::store::postgres {
namespace {

using Element = BinaryArray::Element;

constexpr Statement kUpdateItems{"update_items", R"sql(
UPDATE inventory SET quantity = changed.quantity, version = changed.version
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS changed (id, quantity, version)
WHERE inventory.id = changed.id)sql"};

// OVERRIDING: the id of an adopted table may be GENERATED ALWAYS.
constexpr Statement kInsertItems{"insert_items", R"sql(
INSERT INTO inventory (id, quantity, version, description, created_at, low_stock)
OVERRIDING SYSTEM VALUE
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamp[],
                     $6::bigint[]))sql"};

// Rows are inserted in the order of the arrays, that of the primary key: products that do not exist
// have no item to lock, so only this order prevents deadlocks. An empty array stands for NULLs.
const Statement& insert_entries() {
  static const auto kSql = fmt::format(R"sql(
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, quantity_after,
                              version, reason, terms, message_hash)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[],
                     $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::bigint[])
WHERE {})sql",
                                       unless_triggers(kStockTables, "$11"));
  static const Statement kStatement{"insert_entries", kSql.c_str()};
  return kStatement;
}

// In the order of identities: two instances that add the same requests cannot deadlock.
// Checks both conditions again: the other tables were not locked before.
const Statement& insert_requests() {
  static const auto kSql =
      fmt::format(R"sql(
INSERT INTO inventory_item_request (identity, product_id, quantity, description, created_at,
                                    chosen_id, low_stock)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamp[],
                     $6::bigint[], $7::bigint[])
WHERE {} AND {})sql",
                  unless_rules(kAllTables, "$8"), unless_triggers(kAllTables, "$8"));
  static const Statement kStatement{"insert_requests", kSql.c_str()};
  return kStatement;
}

// Deletes come before inserts: a batch ends no hold that it begins.
const Statement& delete_holds() {
  static const auto kSql =
      fmt::format(R"sql(
DELETE FROM inventory_hold
USING unnest($1::bigint[], $2::text[]) AS ended (product_id, identity)
WHERE inventory_hold.product_id = ended.product_id AND
  inventory_hold.identity = ended.identity AND {} AND {})sql",
                  unless_rules(kHoldTable, "$3"), unless_triggers(kHoldTable, "$3"));
  static const Statement kStatement{"delete_holds", kSql.c_str()};
  return kStatement;
}

const Statement& insert_holds() {
  static const auto kSql =
      fmt::format(R"sql(
INSERT INTO inventory_hold (product_id, identity, quantity, expires_at)
SELECT product_id, identity, quantity, expires_at AT TIME ZONE 'UTC'
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamp[])
  AS begun (product_id, identity, quantity, expires_at)
WHERE {} AND {})sql",
                  unless_rules(kHoldTable, "$5"), unless_triggers(kHoldTable, "$5"));
  static const Statement kStatement{"insert_holds", kSql.c_str()};
  return kStatement;
}

// Deferred triggers change rows too, so they run before the check instead of at COMMIT.
constexpr Statement kFireDeferred{"fire_deferred", "SET CONSTRAINTS ALL IMMEDIATE"};
constexpr Statement kRollBack{"roll_back", "ROLLBACK"};

// A trigger may change the session's settings, also for later transactions: search_path, role,
// statement_timeout, synchronous_commit. Or it may leave temporary tables, which hide others of the
// same name, and locks that others wait for. These statements restore the session to its initial
// state before the check and COMMIT. A rollback does the same, except for locks
// (postgres_store.cpp).
constexpr Statement kResetSettings{"reset_settings", "RESET ALL"};
constexpr Statement kResetUser{"reset_user", "RESET SESSION AUTHORIZATION"};
constexpr Statement kResetRole{"reset_role", "RESET ROLE"};
constexpr Statement kDiscardTables{"discard_tables", "DISCARD TEMP"};

void queue_reset(Session& session) {
  for (const auto& statement :
       {kResetUser, kResetRole, kResetSettings, kKeepCommits, kNoTransactionTimeout,
        kEndWithoutClient, kPlanForCitus, kDiscardTables, kReleaseLocks}) {
    session.execute(statement, {});
  }
}

// Does not check descriptions and times: the owner's triggers may trim or set them.
const Statement& check_writes() {
  static const auto kSql = fail_for(R"sql(
SELECT 'inventory' AS relation, asked.id AS product_id
FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory AS now WHERE now.id = asked.id AND now.quantity = asked.quantity)
UNION ALL
SELECT 'inventory_ledger', asked.product_id
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
  AS asked (product_id, identity, outcome, quantity, delta)
WHERE NOT EXISTS (
  SELECT FROM inventory_ledger AS now
  WHERE now.product_id = asked.product_id AND now.identity = asked.identity AND
    now.outcome = asked.outcome AND now.quantity = asked.quantity AND
    now.delta = asked.delta)
UNION ALL
SELECT 'inventory_item_request', coalesce(asked.id, 0)
FROM unnest($8::text[], $9::bigint[], $10::bigint[]) AS asked (identity, id, quantity)
WHERE NOT EXISTS (
  SELECT FROM inventory_item_request AS now
  WHERE now.identity = asked.identity AND now.product_id IS NOT DISTINCT FROM asked.id AND
    now.quantity = asked.quantity))sql");
  static const Statement kStatement{"check_writes", kSql.c_str()};
  return kStatement;
}

const Statement& check_holds() {
  static const auto kSql = fail_for(R"sql(
SELECT 'inventory_hold' AS relation, begun.product_id
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamp[])
  AS begun (product_id, identity, quantity, expires_at)
WHERE NOT EXISTS (
  SELECT FROM inventory_hold AS now
  WHERE now.product_id = begun.product_id AND now.identity = begun.identity AND
    now.quantity = begun.quantity AND now.expires_at = begun.expires_at AT TIME ZONE 'UTC')
UNION ALL
SELECT 'inventory_hold', ended.product_id
FROM unnest($5::bigint[], $6::text[]) AS ended (product_id, identity)
WHERE EXISTS (
  SELECT FROM inventory_hold AS now
  WHERE now.product_id = ended.product_id AND now.identity = ended.identity))sql");
  static const Statement kStatement{"check_holds", kSql.c_str()};
  return kStatement;
}

struct HoldColumns {
  BinaryArray begun{Element::bigint};
  BinaryArray begun_identities{Element::text};
  BinaryArray quantities{Element::bigint};
  BinaryArray expires_at{Element::timestamp};
  BinaryArray ended{Element::bigint};
  BinaryArray ended_identities{Element::text};

  explicit HoldColumns(const domain::Changes& changes) {
    for (const domain::Hold& hold : changes.opened) {
      begun.add(hold.key.first);
      begun_identities.add(std::string_view(hold.key.second));
      quantities.add(hold.quantity);
      expires_at.add(hold.expires_at);
    }
    for (const auto& [product, identity] : changes.closed) {
      ended.add(product);
      ended_identities.add(std::string_view(identity));
    }
  }
};

struct ItemColumns {
  BinaryArray ids{Element::bigint};
  BinaryArray quantities{Element::bigint};
  BinaryArray versions{Element::bigint};
  BinaryArray descriptions{Element::text};
  BinaryArray created_at{Element::timestamp};
  BinaryArray low_stock{Element::bigint};

  explicit ItemColumns(const std::vector<domain::AddedItem>& added) {
    for (const auto& [item, stock] : added) {
      ids.add(item.id);
      quantities.add(stock.quantity);
      versions.add(stock.version);
      descriptions.add(item.description);
      created_at.add(item.created_at);
      low_stock.add(item.low_stock);
    }
  }
};

struct EntryColumns {
  BinaryArray products, identities, outcomes, quantities, deltas, quantities_after, versions,
      reasons, terms, message_hashes;

  explicit EntryColumns(const std::vector<domain::LedgerEntry>& entries)
      : products(Element::bigint, entries.size()),
        identities(Element::text, entries.size()),
        outcomes(Element::text, entries.size()),
        quantities(Element::bigint, entries.size()),
        deltas(Element::bigint, entries.size()),
        quantities_after(Element::bigint, entries.size()),
        versions(Element::bigint, entries.size()),
        reasons(Element::text),
        terms(Element::text),
        message_hashes(Element::bigint) {
    for (const auto& entry : entries) {
      products.add(entry.key.first);
      identities.add(std::string_view(entry.key.second));
      outcomes.add(domain::row_of(entry.outcome).word);
      quantities.add(entry.quantity);
      deltas.add(entry.delta);
      quantities_after.add(entry.quantity_after);
      versions.add(entry.version);
    }
    // In most batches one or the other has no values at all.
    using domain::LedgerEntry;
    const auto fill = [&](BinaryArray& column, auto member) {
      if (std::ranges::any_of(entries,
                              [&](const auto& entry) { return (entry.*member).has_value(); })) {
        for (const auto& entry : entries) column.add(entry.*member);
      }
    };
    fill(reasons, &LedgerEntry::reason);
    fill(terms, &LedgerEntry::terms);
    fill(message_hashes, &LedgerEntry::message_hash);
  }
};

struct RequestColumns {
  BinaryArray identities{Element::text};
  BinaryArray ids{Element::bigint};
  BinaryArray quantities{Element::bigint};
  BinaryArray descriptions{Element::text};
  BinaryArray created_at{Element::timestamp};
  BinaryArray chosen_ids{Element::bigint};
  BinaryArray low_stock{Element::bigint};

  explicit RequestColumns(const std::vector<domain::ItemAnswer>& answers) {
    for (const auto& answer : answers) {
      identities.add(std::string_view(answer.identity));
      ids.add(answer.id);
      quantities.add(answer.quantity);
      descriptions.add(answer.description);
      created_at.add(answer.created_at);
      chosen_ids.add(answer.chosen_id);
      low_stock.add(answer.low_stock);
    }
  }
};

void queue_end(Session& session, Ending ending) {
  if (ending == Ending::commit) {
    session.commit();
    return;
  }
  if (!session.checks_writes()) session.execute(kFireDeferred, {});
  session.execute(kRollBack, {});
}

void queue_holds(Session& session, const domain::Changes& changes, const HoldColumns& holds) {
  const auto checks = binary_boolean(session.checks_writes());
  if (!changes.closed.empty()) {
    session.execute(delete_holds(), {holds.ended.bytes(), holds.ended_identities.bytes(), checks});
  }
  if (!changes.opened.empty()) {
    session.execute(insert_holds(), {holds.begun.bytes(), holds.begun_identities.bytes(),
                                     holds.quantities.bytes(), holds.expires_at.bytes(), checks});
  }
}

}  // namespace

void queue_writes(Session& session, const domain::Changes& changes, Ending ending) {
  if (changes.empty()) {
    session.execute(kWriteToLog, {});
    queue_end(session, ending);
    return;
  }
  const auto checks = binary_boolean(session.checks_writes());
  BinaryArray ids(Element::bigint, changes.stock.size());
  BinaryArray quantities(Element::bigint, changes.stock.size());
  BinaryArray versions(Element::bigint, changes.stock.size());
  for (const auto& [id, stock] : changes.stock) {
    ids.add(id);
    quantities.add(stock.quantity);
    versions.add(stock.version);
  }
  const EntryColumns entries(changes.entries);
  const RequestColumns requests(changes.item_requests);
  if (!changes.stock.empty()) {
    session.execute(kUpdateItems, {ids.bytes(), quantities.bytes(), versions.bytes()});
  }
  if (!changes.items.empty()) {
    const ItemColumns items(changes.items);
    session.execute(kInsertItems, {items.ids.bytes(), items.quantities.bytes(),
                                   items.versions.bytes(), items.descriptions.bytes(),
                                   items.created_at.bytes(), items.low_stock.bytes()});
  }
  if (!changes.entries.empty()) {
    session.execute(
        insert_entries(),
        {entries.products.bytes(), entries.identities.bytes(), entries.outcomes.bytes(),
         entries.quantities.bytes(), entries.deltas.bytes(), entries.quantities_after.bytes(),
         entries.versions.bytes(), entries.reasons.bytes(), entries.terms.bytes(),
         entries.message_hashes.bytes(), checks});
  }
  if (!changes.items.empty() || !changes.item_requests.empty()) {
    session.execute(insert_requests(),
                    {requests.identities.bytes(), requests.ids.bytes(), requests.quantities.bytes(),
                     requests.descriptions.bytes(), requests.created_at.bytes(),
                     requests.chosen_ids.bytes(), requests.low_stock.bytes(), checks});
  }
  const HoldColumns holds(changes);
  queue_holds(session, changes, holds);
  if (session.checks_writes()) {
    for (const auto& [item, stock] : changes.items) {
      ids.add(item.id);
      quantities.add(stock.quantity);
    }
    session.execute(kFireDeferred, {});
    queue_reset(session);
    session.execute(
        check_writes(),
        {ids.bytes(), quantities.bytes(), entries.products.bytes(), entries.identities.bytes(),
         entries.outcomes.bytes(), entries.quantities.bytes(), entries.deltas.bytes(),
         requests.identities.bytes(), requests.ids.bytes(), requests.quantities.bytes()});
    if (!changes.opened.empty() || !changes.closed.empty()) {
      session.execute(check_holds(), {holds.begun.bytes(), holds.begun_identities.bytes(),
                                      holds.quantities.bytes(), holds.expires_at.bytes(),
                                      holds.ended.bytes(), holds.ended_identities.bytes()});
    }
  }
  queue_end(session, ending);
}

}  // namespace inventory::store::postgres
