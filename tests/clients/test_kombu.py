"""kombu, Celery's messaging, as it is: it waits with BRPOP, and keeps what is not acknowledged in a sorted set."""

from __future__ import annotations

import threading
import time

from kombu import Connection

from tests.support.server import Server

MESSAGES = 50
SECONDS = 10


def test_messages_are_consumed_in_order(server: Server) -> None:
    got: list[int] = []

    def consume() -> None:
        with Connection(server.url) as connection:
            queue = connection.SimpleQueue("jobs")
            for _ in range(MESSAGES):
                message = queue.get(timeout=SECONDS)
                got.append(message.payload["n"])
                message.ack()
            queue.close()

    consumer = threading.Thread(target=consume)
    consumer.start()
    time.sleep(0.2)  # it waits
    with Connection(server.url) as connection:
        queue = connection.SimpleQueue("jobs")
        for n in range(MESSAGES):
            queue.put({"n": n})
        consumer.join(SECONDS)
        queue.close()
    assert got == list(range(MESSAGES))
    with server.connect() as control:
        assert control.call("EXISTS", "jobs", "unacked", "unacked_index") == b":0\r\n"
