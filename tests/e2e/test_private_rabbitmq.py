"""scripts/private-rabbitmq, on whose broker scripts/run and these tests rely."""

import pytest

from servers import Server


def test_data_of_a_version_that_is_too_old_is_named(folder):
    """RabbitMQ 4.0 requires features that 3.10 does not know."""
    with Server("rabbitmq", folder / "older-rabbitmq") as server:
        [features] = server.folder.glob("data/*-feature_flags")
        if "rabbitmq_4" not in features.read_text():
            pytest.skip("this version requires no feature")
        server.stop()
        features.write_text("[quorum_queue].\n")
        with pytest.raises(AssertionError, match="which an older version made: move it away"):
            server.start()
