"""Bad things, each of which may harm only the requests that meet it.

A kind makes `count` bad things in a place, says which orders meet them (their products and reply
queues), and ends them again. It knows the servers only by the attributes of the place:

  amqp_url, postgres_url   of the servers; the URL of PostgreSQL names the schema
  evaluate(expression)     evaluates Erlang in the broker
  product                  with plenty of stock, for orders that the database does not refuse
  add_products(count)      new products, which nobody else orders
"""

import base64
import contextlib
import dataclasses
import itertools
import struct
import uuid

import pika
import psycopg2

FRAME_MAX = 131_072
FLAG = 0x0002  # the flag of a property that AMQP 0-9-1 does not define


class Flagged(pika.BasicProperties):
    """Properties with an undefined flag."""

    def encode(self):
        flags, *values = super().encode()
        return [struct.pack(">H", struct.unpack(">H", flags)[0] | FLAG), *values]


def passes_flags_on(client):
    """RabbitMQ 4 drops property flags that AMQP does not define; 3.10 passes them on."""
    version = client.connection._impl.server_properties["version"]
    return int(version.split(".")[0]) < 4


def filling_a_frame(**properties):
    """Properties whose header frame has exactly `FRAME_MAX` bytes."""

    def made(pad):
        return pika.BasicProperties(headers={"x-pad": "A" * pad}, **properties)

    fixed = 8 + 12  # bytes around the payload, and at its beginning
    return made(FRAME_MAX - fixed - len(b"".join(made(0).encode())))


@dataclasses.dataclass
class Meeting:
    """How an order meets a bad thing."""

    product: int
    reply_to: str | None = None  # None: the reply queue of the other orders
    properties: type = pika.BasicProperties
    order_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


class Kind:
    """`with KIND(place, count) as bad:` they exist until bad.end() or the end of the block."""

    loses_replies = False  # the service gives up replies, because the client is at fault
    ends_first = False  # other kinds cannot end before it

    def __init__(self, place, count):
        self.place, self.count, self.has_ended = place, count, False

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        if not self.has_ended:
            self.end()
        self.clean_up()

    def end(self):
        self.has_ended = True

    def clean_up(self):
        """Removes what is left, once all requests are answered."""

    def _names(self, what):
        return [f"{what}.{uuid.uuid4().hex}" for _ in range(self.count)]

    @contextlib.contextmanager
    def _channel(self):
        with pika.BlockingConnection(pika.URLParameters(self.place.amqp_url)) as connection:
            yield connection.channel()

    def _execute(self, sql):
        with contextlib.closing(psycopg2.connect(self.place.postgres_url)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '60s'")
                cursor.execute(sql)


class Queues(Kind):
    """Clients' reply queues."""

    arguments = {}

    def begin(self):
        self.queues = self._names("client")
        with self._channel() as channel:
            for queue in self.queues:
                channel.queue_declare(queue, durable=True, arguments=self.arguments)

    def meetings(self):
        return [Meeting(self.place.product, queue) for queue in self.queues]

    def clean_up(self):
        with self._channel() as channel:
            for queue in self.queues:
                channel.queue_delete(queue)


class Silent(Queues):
    """Queues that neither confirm nor reject, such as quorum queues without a majority."""

    def begin(self):
        super().begin()
        self._each("sys:suspend")

    def end(self):
        super().end()
        self._each("sys:resume")

    def _each(self, function):
        names = ",".join(f'<<"{queue}">>' for queue in self.queues)
        self.place.evaluate(
            f"[{function}(amqqueue:get_pid(element(2, rabbit_amqqueue:lookup("
            f'rabbit_misc:r(<<"/">>, queue, N))))) || N <- [{names}]]'
        )


class SilentClassic(Silent):
    arguments = {"x-queue-type": "classic"}


class SilentQuorum(Silent):
    arguments = {"x-queue-type": "quorum"}


class Full(Queues):
    """Queues that are full and reject."""

    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    loses_replies = True

    def begin(self):
        super().begin()
        with self._channel() as channel:
            for queue in self.queues:
                channel.basic_publish("", queue, b"full")

    def end(self):
        super().end()
        with self._channel() as channel:
            for queue in self.queues:
                channel.queue_purge(queue)


class BadAddress(Kind):
    """Direct reply-to addresses on which RabbitMQ 3.10 closes the connection."""

    loses_replies = True

    def begin(self):
        names = (base64.b64encode(uuid.uuid4().bytes[:6]).decode() for _ in range(self.count))
        self.addresses = [f"amq.rabbitmq.reply-to.{name}.BBBB" for name in names]

    def meetings(self):
        return [Meeting(self.place.product, address) for address in self.addresses]


class Products(Kind):
    """Products whose orders the database prevents from being decided."""

    def begin(self):
        self.products = self.place.add_products(self.count)
        self.ids = ",".join(map(str, self.products))

    def meetings(self):
        return [Meeting(product) for product in self.products]


class Poisoned(Products):
    """A trigger refuses to change the rows, with errors that may be temporary."""

    codes = (
        *("P0001", "23502", "23503", "42501", "0A000", "55000", "57014", "XX001", "40001", "40P01"),
        # These concern the whole server, if the server itself reports them.
        *("57P01", "57P03", "53100", "53200", "53300", "25006", "08006", "58030", "40003"),
    )
    does = "RAISE EXCEPTION 'product % is on hold', NEW.id USING ERRCODE = codes[1 + NEW.id % {codes}]"

    def begin(self):
        super().begin()
        self.name = f"hold_{uuid.uuid4().hex}"
        codes = ",".join(f"'{code}'" for code in self.codes)
        self._execute(
            f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f"DECLARE codes text[] := ARRAY[{codes}];"
            f"BEGIN IF NEW.id IN ({self.ids}) THEN {self.does.format(codes=len(self.codes))};"
            f" END IF; RETURN NEW; END$$;"
            f"CREATE TRIGGER {self.name} BEFORE UPDATE ON inventory"
            f" FOR EACH ROW EXECUTE FUNCTION {self.name}()"
        )

    def end(self):
        super().end()
        self._execute(f"DROP FUNCTION {self.name} CASCADE")


class Slow(Poisoned):
    """A trigger takes longer than the service waits for a statement."""

    does = "PERFORM pg_sleep(60)"


class ChangedSession(Poisoned):
    """A trigger changes settings of the session, which affects later transactions."""

    does = (
        "PERFORM set_config(split_part(setting, ' ', 1), split_part(setting, ' ', 2), false) FROM"
        " unnest(ARRAY['search_path nowhere', 'statement_timeout 1', 'role pg_monitor'])"
        " WITH ORDINALITY AS one (setting, number) WHERE number = 1 + NEW.id % 3"
    )


class LockedBehind(Poisoned):
    """A trigger waits for a lock that SKIP LOCKED does not see."""

    does = "PERFORM pg_advisory_xact_lock({lock})"

    def begin(self):
        lock = uuid.uuid4().int % 2**62
        self.does = self.does.format(lock=lock)
        self.connection = psycopg2.connect(self.place.postgres_url)
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (lock,))
        super().begin()

    def end(self):
        self.connection.close()
        super().end()


class Locked(Products):
    """Another session keeps the rows locked. Until it ends, no trigger can be dropped."""

    ends_first = True

    def begin(self):
        super().begin()
        self.connection = psycopg2.connect(self.place.postgres_url)
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT FROM inventory WHERE id IN ({self.ids}) FOR UPDATE")

    def end(self):
        super().end()
        self.connection.close()


class WrongLedgerRow(Products):
    """The ledger has an entry with an order's identity that is not a decision."""

    def begin(self):
        super().begin()
        self.orders = [Meeting(product) for product in self.products]
        rows = ",".join(
            f"({order.product}, 's{order.order_id}', 'opening', 2, 2)" for order in self.orders
        )
        self._execute(
            f"INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)"
            f" VALUES {rows};"
            f"UPDATE inventory SET quantity = quantity + 2 WHERE id IN ({self.ids})"
        )

    def meetings(self):
        return self.orders

    def end(self):
        """Repairs the ledger as docs/recover.md says."""
        super().end()
        identities = ",".join(f"'s{order.order_id}'" for order in self.orders)
        self._execute(
            f"UPDATE inventory_ledger SET identity = 'correction ' || identity"
            f" WHERE product_id IN ({self.ids}) AND identity IN ({identities})"
        )


class UndefinedFlag(Kind):
    """Content that cannot be decoded. Quorum queues and RabbitMQ 4 do not pass it on."""

    def begin(self):
        pass

    def meetings(self):
        return [Meeting(self.place.product, properties=Flagged) for _ in range(self.count)]


KINDS = {
    "silent classic queue": SilentClassic,
    "silent quorum queue": SilentQuorum,
    "full queue": Full,
    "bad direct reply-to address": BadAddress,
    "poisoned product": Poisoned,
    "locked row": Locked,
    "slow row": Slow,
    "row that waits for a lock": LockedBehind,
    "changed session": ChangedSession,
    "wrong ledger row": WrongLedgerRow,
    "undefined flag": UndefinedFlag,
}


class All:
    """Some of each kind."""

    def __init__(self, place, count, kinds=None):
        self.kinds = [kind(place, count) for kind in kinds or KINDS.values()]
        self.loses_replies = True
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            for kind in self.kinds:
                self.stack.enter_context(kind)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        with self.stack:
            self.end()

    def meetings(self):
        by_kind = itertools.zip_longest(*(kind.meetings() for kind in self.kinds))
        return [meeting for meetings in by_kind for meeting in meetings if meeting]

    def end(self):
        for kind in sorted(self.kinds, key=lambda kind: not kind.ends_first):
            if not kind.has_ended:
                kind.end()
