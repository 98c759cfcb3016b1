"""The graph of the moment on a real bus: sent while somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmgat.stream.audio.file import FileSource
from mmgat.stream.audio.inputs import Input
from mmgat.stream.bus.protocol import GRAPH_TOPICS, Graph
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.engine.engine import Engine
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody


def test_graphs_are_sent_only_while_somebody_subscribes_to_them(
    make_recognizer: Callable[[StreamSettings], Recognizer], wav: Callable[..., Path]
) -> None:
    source = FileSource(wav(melody(20.0, 16_000), 16_000), paced=True)
    source.probe()
    publisher = Publisher("tcp://127.0.0.1:*")
    settings = StreamSettings(hop_s=0.5, nodes=3)
    engine = Engine([Input(source)], make_recognizer(settings), [publisher], settings)
    assert not publisher.wants_graph
    engine.start()
    with Subscriber(publisher.address, (GRAPH_TOPICS,)) as subscriber:
        graph = subscriber.receive(20)
        assert publisher.wants_graph
        assert isinstance(graph, Graph)
        assert np.shape(graph.similarity) == 2 * (len(graph.times_s),)
    with Subscriber(publisher.address) as others:
        while publisher.wants_graph:
            assert others.receive(20)
    engine.stop()
    assert engine.wait(20)
    publisher.close()
