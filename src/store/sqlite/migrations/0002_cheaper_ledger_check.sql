-- The same ledger, whose CHECK compares instead of asking IN: for a list of more than two values
-- SQLite builds an index of them with each insert, which took longer than the insert itself.
-- Through a temporary table, as in 0001: a rename would rewrite or break views that name the table.
CREATE TEMP TABLE kept AS SELECT * FROM inventory_ledger;
DROP TABLE inventory_ledger;
CREATE TABLE inventory_ledger (
  product_id INTEGER NOT NULL,
  identity   TEXT NOT NULL,
  outcome    TEXT NOT NULL
    CHECK (outcome = 'accepted' OR outcome = 'product_not_found' OR outcome = 'not_enough_stock'
           OR outcome = 'opening'),
  quantity   INTEGER NOT NULL,
  delta      INTEGER NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (product_id, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at)
  SELECT product_id, identity, outcome, quantity, delta, decided_at FROM temp.kept
  ORDER BY product_id, identity;
DROP TABLE temp.kept;
