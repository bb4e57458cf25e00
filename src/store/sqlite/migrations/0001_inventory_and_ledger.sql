-- Items, the ledger of every change of stock, and the stored answers of item requests.
-- Times are UTC text with microseconds, '2026-11-23 03:00:00.123456': as SQLAlchemy writes them.

CREATE TABLE inventory_migration (
  version    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  applied_at TEXT NOT NULL
) STRICT;

-- A table that the Python service left is adopted with its rows and ids. It is made anew, because
-- SQLite adds neither AUTOINCREMENT nor a CHECK to a table that exists. Rows travel through a
-- temporary table: a rename would rewrite or break views that name the table.
CREATE TABLE IF NOT EXISTS inventory (
  id INTEGER PRIMARY KEY, quantity INTEGER, description TEXT, created_at TEXT
);
CREATE TEMP TABLE adopted AS SELECT id, quantity, description, created_at FROM inventory;
DROP TABLE inventory;

-- AUTOINCREMENT: the id of a deleted item is never given to another.
CREATE TABLE inventory (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  quantity    INTEGER NOT NULL CHECK (quantity >= 0),
  description TEXT,
  created_at  TEXT  -- null only where an adopted row had none
) STRICT;
INSERT INTO inventory (id, quantity, description, created_at)
  SELECT id, quantity, description, created_at FROM temp.adopted ORDER BY id;
DROP TABLE temp.adopted;

-- Append-only. For each product the sum of deltas is its quantity. The identity of an order is
-- i<integer> or s<string>; 'opening' is the stock that an item began with.
CREATE TABLE inventory_ledger (
  product_id INTEGER NOT NULL,
  identity   TEXT NOT NULL,
  outcome    TEXT NOT NULL
    CHECK (outcome IN ('accepted', 'product_not_found', 'not_enough_stock', 'opening')),
  quantity   INTEGER NOT NULL,
  delta      INTEGER NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (product_id, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at)
  SELECT id, 'opening', 'opening', quantity, quantity, strftime('%Y-%m-%d %H:%M:%f000', 'now')
  FROM inventory ORDER BY id;

-- What each identified item request was answered. With rowids: descriptions are too long for the
-- inner pages of a table without them.
CREATE TABLE inventory_item_request (
  identity    TEXT NOT NULL PRIMARY KEY,
  product_id  INTEGER NOT NULL,
  quantity    INTEGER NOT NULL,
  description TEXT,
  created_at  TEXT NOT NULL
) STRICT;
