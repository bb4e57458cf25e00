-- What requests of more kinds need: cancellations, adjustments, holds, items of several products.
--
-- Programs of version 1 go on beside it, and nothing large is rewritten or read: columns are added
-- that are NULL or have a constant default, and a CHECK goes. The locks, all that are needed and in
-- the order in which programs take theirs, are held for moments; where somebody keeps one of them,
-- the migration gives way and is tried again (schema.cpp).
LOCK TABLE inventory_item_request, inventory, inventory_ledger IN ACCESS EXCLUSIVE MODE;

ALTER TABLE inventory
  ADD COLUMN version BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN low_stock BIGINT;

-- What outcomes there are is the program's to know (domain/outcome.h). NULL: a program of version 1
-- wrote the row, or there is nothing to say.
ALTER TABLE inventory_ledger
  ADD COLUMN quantity_after BIGINT,
  ADD COLUMN version BIGINT,
  ADD COLUMN reason TEXT,
  ADD COLUMN terms TEXT,
  ADD COLUMN message_hash BIGINT,
  DROP CONSTRAINT IF EXISTS inventory_ledger_outcome_check;

-- No product_id: the request was rejected, since its chosen id was taken.
ALTER TABLE inventory_item_request
  ALTER COLUMN product_id DROP NOT NULL,
  ADD COLUMN chosen_id BIGINT,
  ADD COLUMN low_stock BIGINT;

-- Stock that is held, while it is: what was taken under an order's identity, until when.
CREATE TABLE inventory_hold (
  product_id BIGINT NOT NULL,
  identity TEXT COLLATE "C" NOT NULL,
  quantity BIGINT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (product_id, identity)
);
CREATE INDEX inventory_hold_expires_at ON inventory_hold (expires_at);

-- The newest entries of a product, without reading all that it has. To build the index of a large
-- ledger here would keep orders waiting: that is left to the owner, who builds it beside running
-- instances (docs/run.md, "From 1.0 to 1.1"). Without it the same is read, only slower. 32 MiB are
-- some 200,000 entries, and take a fraction of a second; where nothing was decided yet, nobody waits.
-- On `product_id + 0`, not on the column: a planner that knows nothing of a new ledger would else
-- look an entry up by this index, and read all entries of a product for each order.
DO $migration$
BEGIN
  IF pg_relation_size('inventory_ledger') <= 32 * 1024 * 1024
     OR NOT EXISTS (SELECT FROM inventory_ledger WHERE identity <> 'opening') THEN
    CREATE INDEX IF NOT EXISTS inventory_ledger_decided_at
      ON inventory_ledger ((product_id + 0), decided_at);
  END IF;
END
$migration$;
