"""TLS to broker and database, with certificates that the test makes: good and bad ones."""

import os
import shutil
import subprocess

import pytest

from client import Client
from database import Postgres, Sqlite
from servers import SCRIPTS, Server
from service import Queues, Service, run
from tls import Authority

LOCAL = "DNS:localhost"


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder / "authority")


@pytest.fixture(scope="module")
def stranger(folder):
    return Authority(folder / "stranger")


@pytest.fixture(scope="module")
def certificates(authority, stranger):
    """What a server may show, by what is wrong with it."""
    return {
        "good": authority.certify("good", LOCAL),
        "unknown": stranger.certify("unknown", LOCAL),
        "elsewhere": authority.certify("elsewhere", "DNS:elsewhere.example"),
        "expired": authority.certify("expired", LOCAL, expired=True),
    }


class TlsBroker:
    """A RabbitMQ that asks for client certificates, and can change its own while it runs."""

    def __init__(self, server, tls_port, certificates):
        self.server = server
        self.certificates = certificates
        self.url = f"amqps://guest:guest@localhost:{tls_port}/"

    def show(self, name):
        for source, end in zip(self.certificates[name], ("pem", "key")):
            shutil.copy(source, self.server.folder / f"server.{end}")

    def forget(self):
        """Erlang keeps what it has read for two minutes."""
        subprocess.run(
            [SCRIPTS / "private-rabbitmq", "ctl", self.server.folder]
            + ["eval", "ssl:clear_pem_cache()."],
            check=True,
            capture_output=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def tls_broker(folder, authority, certificates):
    place = folder / "tls-rabbitmq"
    place.mkdir()
    port = subprocess.run(
        ["bash", "-c", f". {SCRIPTS}/servers.sh; free_port"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    server = Server("rabbitmq", place)
    broker = TlsBroker(server, port, certificates)
    broker.show("good")
    (place / "rabbitmq.conf").write_text(
        f"""listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {authority.file}
ssl_options.certfile = {place}/server.pem
ssl_options.keyfile = {place}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""
    )
    with server:
        yield broker


@pytest.fixture
def trusted(authority):
    """The options of a client that the broker lets in."""
    certificate, key = authority.certify("client")
    return [
        f"--amqp-ca-file={authority.file}",
        f"--amqp-certificate-file={certificate}",
        f"--amqp-key-file={key}",
    ]


def test_it_works_with_a_broker_that_asks_for_a_certificate(tls_broker, folder, trusted):
    queues = Queues.fresh()
    with Service(tls_broker.url, Sqlite(folder).url, queues, trusted):
        with Client(tls_broker.server.url, queues) as client:
            product = client.add(10)
            order = {"order_id": 1, "product_id": product, "quantity": 4}
            assert client.order(order).json["success"]
        done = run(
            "add", "--quantity=1", *trusted, *queues.options(), AMQP_URL=tls_broker.url
        )
        assert done.returncode == 0, done.stderr


def refused(service, because):
    try:
        service.start().wait_for_log(because)
        assert "ready: consuming" not in service.log
    finally:
        assert service.stop() == 0


@pytest.mark.parametrize(
    "shown, because",
    [
        ("unknown", "the peer's certificate is refused: unable to get local issuer certificate"),
        ("elsewhere", "the peer's certificate is refused: hostname mismatch"),
        ("expired", "the peer's certificate is refused: certificate has expired"),
    ],
)
def test_a_broker_with_a_wrong_certificate_is_refused(
    tls_broker, folder, trusted, shown, because
):
    tls_broker.show(shown)
    tls_broker.forget()
    try:
        refused(Service(tls_broker.url, Sqlite(folder).url, Queues.fresh(), trusted), because)
    finally:
        tls_broker.show("good")
        tls_broker.forget()


def test_without_a_certificate_the_broker_refuses(tls_broker, folder, authority):
    options = [f"--amqp-ca-file={authority.file}"]
    service = Service(tls_broker.url, Sqlite(folder).url, Queues.fresh(), options)
    refused(service, "certificate required")


@pytest.fixture(scope="module")
def tls_postgres(folder, authority, certificates):
    """A PostgreSQL that takes TLS, and what changes its certificate."""
    with Server("postgres", folder / "tls-postgres") as server:
        data = server.folder / "data"
        owner = data.stat()

        def show(name):
            for source, end in zip(certificates[name], ("pem", "key")):
                shutil.copy(source, data / f"server.{end}")
                (data / f"server.{end}").chmod(0o600)
                os.chown(data / f"server.{end}", owner.st_uid, owner.st_gid)
            database = Postgres(server.url)
            database.execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
            database.execute("ALTER SYSTEM SET ssl_key_file = 'server.key'")
            database.execute("ALTER SYSTEM SET ssl = on")
            database.execute("SELECT pg_reload_conf()")

        yield server, show


def verified(server, ca_file):
    url = server.url.replace("127.0.0.1", "localhost")
    return f"{url}?sslmode=verify-full&sslrootcert={ca_file}"


def migrated(url):
    return run("migrate", DATABASE_URL=url)


def wait_until(shown, server, ca_file):
    """A reload takes effect a moment later."""
    for _ in range(100):
        done = migrated(verified(server, ca_file))
        if shown(done):
            return done
    raise AssertionError(done.stderr)


def test_postgres_with_a_good_certificate_is_verified(tls_postgres, broker, authority):
    server, show = tls_postgres
    show("good")
    wait_until(lambda done: done.returncode == 0, server, authority.file)
    queues = Queues.fresh()
    with Service(broker.url, verified(server, authority.file), queues):
        with Client(broker.url, queues) as client:
            assert client.add(1)
            encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity USING (pid)"
            encrypted += " WHERE ssl AND backend_type = 'client backend'"
            assert Postgres(server.url).query(encrypted)[0][0] >= 1


@pytest.mark.parametrize(
    "shown, because",
    [
        ("unknown", "certificate verify failed"),
        ("elsewhere", "does not match host name"),
        ("expired", "certificate verify failed"),
    ],
)
def test_postgres_with_a_wrong_certificate_is_refused(tls_postgres, authority, shown, because):
    server, show = tls_postgres
    show(shown)
    done = wait_until(lambda done: because in done.stderr, server, authority.file)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
