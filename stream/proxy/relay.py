"""Reads several engines, each on a thread of its own, and publishes what they say as one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys
from mmgat.stream.bus.notices import Notice
from mmgat.stream.bus.protocol import GRAPH_TOPICS, Hello, Message
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.proxy.merge import Merge

POLL_S = 0.25
_TOLD = ("connected", "disconnected", "refused", "foreign", "stale", "alive", "restarted")


@dataclass(frozen=True)
class Upstream:
    """An engine to read.

    Attributes:
        name: in front of its sources' names.
        address: that it publishes on.
        keys: if it has some.
    """

    name: str
    address: str
    keys: ClientKeys | None = None


class Relay:
    """Publishes what several engines say; its publisher keeps the last values for newcomers.

    Args:
        upstreams: the engines, with different names.
        address: to publish on.
        keys: whoever connects over TCP needs a key that is known.
        insecure: other machines may connect without one.
        say: takes lines about the engines.

    Attributes:
        publisher: what readers connect to.

    Raises:
        PublishError: an address is none or in use, or needs keys.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        address: str,
        keys: ServerKeys | None = None,
        *,
        insecure: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._say = say
        self._merge = Merge([upstream.name for upstream in upstreams])
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._readers: list[tuple[str, Subscriber]] = []
        self._threads: list[threading.Thread] = []
        self.publisher = Publisher(address, keys=keys, insecure=insecure)
        try:
            for one in upstreams:
                self._readers.append((one.name, self._subscriber(one)))
        except Exception:
            self.close()
            raise
        self._threads = [
            threading.Thread(target=self._run, args=reader, name=f"relay {reader[0]}", daemon=True)
            for reader in self._readers
        ]

    def start(self) -> None:
        """Begins to read the engines."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends what is on, and gives all addresses back."""
        self._closing.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for name, subscriber in self._readers:
            self._publish(self._merge.lose(name, "the proxy has ended"))
            subscriber.close()
        self.publisher.close()

    def _subscriber(self, upstream: Upstream) -> Subscriber:
        def on_notice(notice: Notice) -> None:
            self._on_notice(upstream.name, notice)

        return Subscriber(upstream.address, keys=upstream.keys, on_notice=on_notice)

    def _run(self, name: str, subscriber: Subscriber) -> None:
        wants_graph = False
        while not self._closing.is_set():
            if self.publisher.wants_graph != wants_graph:
                wants_graph = not wants_graph
                change = subscriber.subscribe if wants_graph else subscriber.unsubscribe
                change(GRAPH_TOPICS)
            message = subscriber.receive(POLL_S)
            if message is not None:
                with self._lock:
                    self._publish(self._merge.take(name, message))

    def _on_notice(self, name: str, notice: Notice) -> None:
        if notice.kind in _TOLD:
            self._say(f"{name}: {notice}")
        with self._lock:
            if notice.kind in ("stale", "disconnected"):
                self._publish(self._merge.lose(name, notice.text))
            elif notice.kind == "gap":
                self.publisher.skip(self._merge.topic(name, notice.topic), notice.n)

    def _publish(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, Hello):
                message = msgspec.structs.replace(
                    message, host=socket.gethostname(), security=self.publisher.security
                )
            self.publisher(message)
