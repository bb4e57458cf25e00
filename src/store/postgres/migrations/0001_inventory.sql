-- Items, the ledger of decisions, and the answers that requests for items got.
--
-- `inventory` is the Python service's own table. One that it left is adopted in place, with all its
-- rows; everything else is new. Names are unqualified: search_path decides where they lie.

DO $migration$
DECLARE
  adopted CONSTANT boolean := to_regclass('inventory') IS NOT NULL;
  types text;
  ids text;
  last_id bigint;
  sequence_at bigint;
BEGIN
  IF NOT adopted THEN
    -- Half-filled pages leave room beside a row for its next versions: updates of a quantity need
    -- not touch the index (HOT).
    CREATE TABLE inventory (
      id BIGSERIAL PRIMARY KEY,
      quantity BIGINT NOT NULL CONSTRAINT inventory_quantity_not_negative CHECK (quantity >= 0),
      description VARCHAR,
      created_at TIMESTAMP NOT NULL
    ) WITH (fillfactor = 50);
    RETURN;
  END IF;

  -- Nobody may change stock between here and the opening entries below.
  LOCK TABLE inventory IN ACCESS EXCLUSIVE MODE;

  -- Only what does not do is altered: what depends on a column keeps PostgreSQL from altering it,
  -- even to the type that it has. What cannot be altered was found before (adoption.cpp).
  SELECT coalesce(string_agg(format('ALTER COLUMN %I TYPE %s, ', name, wanted), ''), '') INTO types
  FROM (VALUES ('id', 'bigint'), ('quantity', 'bigint'), ('description', 'varchar'))
    AS columns (name, wanted)
  JOIN pg_attribute ON attrelid = 'inventory'::regclass AND attname = name
  WHERE atttypid <> wanted::regtype AND NOT (wanted = 'varchar' AND atttypid = 'text'::regtype)
    OR wanted = 'varchar' AND atttypmod >= 0;

  EXECUTE 'ALTER TABLE inventory ' || types || '
    ALTER COLUMN quantity SET NOT NULL,
    ALTER COLUMN description DROP NOT NULL,
    DROP CONSTRAINT IF EXISTS inventory_quantity_not_negative,
    ADD CONSTRAINT inventory_quantity_not_negative CHECK (quantity >= 0),
    SET (fillfactor = 50)';
  IF NOT EXISTS (
      SELECT FROM pg_constraint WHERE conrelid = 'inventory'::regclass AND contype = 'p') THEN
    ALTER TABLE inventory ADD CONSTRAINT inventory_pkey PRIMARY KEY (id);
  END IF;

  -- Ids come from the sequence that the column owns, beyond every id that is there.
  ids := pg_get_serial_sequence('inventory', 'id');
  IF ids IS NULL THEN
    CREATE SEQUENCE IF NOT EXISTS inventory_id_seq;
    ALTER SEQUENCE inventory_id_seq OWNED BY inventory.id;
    ALTER TABLE inventory ALTER COLUMN id SET DEFAULT nextval('inventory_id_seq');
    ids := pg_get_serial_sequence('inventory', 'id');
  END IF;
  EXECUTE format('ALTER SEQUENCE %s AS BIGINT', ids);
  EXECUTE format('SELECT last_value FROM %s', ids) INTO sequence_at;
  SELECT max(id) INTO last_id FROM inventory;
  IF last_id >= sequence_at THEN
    PERFORM setval(ids, last_id);
  END IF;
END
$migration$;

-- One row for each decision, never changed, and an opening entry for each item: for each product
-- the sum of deltas is its quantity. An order's identity begins with i or s, so it cannot be
-- 'opening'. There is no foreign key: what was decided of an unknown product is kept too. Product
-- first, so that one product's entries lie together whatever its order ids; "C", so that the order
-- is that of bytes, in which every instance inserts.
CREATE TABLE inventory_ledger (
  product_id BIGINT NOT NULL,
  identity TEXT COLLATE "C" NOT NULL,
  outcome TEXT NOT NULL
    CHECK (outcome IN ('accepted', 'product_not_found', 'not_enough_stock', 'opening')),
  quantity BIGINT NOT NULL,
  delta BIGINT NOT NULL,
  decided_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (product_id, identity)
);

INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)
SELECT id, 'opening', 'opening', quantity, quantity FROM inventory ORDER BY id;

-- The item that each request got, as it was then.
CREATE TABLE inventory_item_request (
  identity TEXT COLLATE "C" PRIMARY KEY,
  product_id BIGINT NOT NULL,
  quantity BIGINT NOT NULL,
  description VARCHAR,
  created_at TIMESTAMP NOT NULL
);
