-- What requests of more kinds need: cancellations, adjustments, holds, items of several products.
ALTER TABLE inventory ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inventory ADD COLUMN low_stock INTEGER;

-- The same ledger with more columns and without the CHECK: what outcomes there are is the program's
-- to know (domain/outcome.h). Through a temporary table, as in 0001: a rename would rewrite or break
-- views that name the table. NULL: an earlier program wrote the row, or there is nothing to say.
CREATE TEMP TABLE kept AS SELECT * FROM inventory_ledger;
DROP TABLE inventory_ledger;
CREATE TABLE inventory_ledger (
  product_id     INTEGER NOT NULL,
  identity       TEXT NOT NULL,
  outcome        TEXT NOT NULL,
  quantity       INTEGER NOT NULL,
  delta          INTEGER NOT NULL,
  decided_at     TEXT NOT NULL,
  quantity_after INTEGER,
  version        INTEGER,
  reason         TEXT,
  terms          TEXT,
  message_hash   INTEGER,
  PRIMARY KEY (product_id, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at)
  SELECT product_id, identity, outcome, quantity, delta, decided_at FROM temp.kept
  ORDER BY product_id, identity;
DROP TABLE temp.kept;

-- No product_id: the request was rejected, since its chosen id was taken.
CREATE TEMP TABLE kept AS SELECT * FROM inventory_item_request;
DROP TABLE inventory_item_request;
CREATE TABLE inventory_item_request (
  identity    TEXT NOT NULL PRIMARY KEY,
  product_id  INTEGER,
  quantity    INTEGER NOT NULL,
  description TEXT,
  created_at  TEXT NOT NULL,
  chosen_id   INTEGER,
  low_stock   INTEGER
) STRICT;
INSERT INTO inventory_item_request (identity, product_id, quantity, description, created_at)
  SELECT identity, product_id, quantity, description, created_at FROM temp.kept ORDER BY rowid;
DROP TABLE temp.kept;

-- Stock that is held, while it is: what was taken under an order's identity, until when.
CREATE TABLE inventory_hold (
  product_id INTEGER NOT NULL,
  identity   TEXT NOT NULL,
  quantity   INTEGER NOT NULL,
  expires_at TEXT NOT NULL,
  PRIMARY KEY (product_id, identity)
) STRICT, WITHOUT ROWID;
CREATE INDEX inventory_hold_expires_at ON inventory_hold (expires_at);
