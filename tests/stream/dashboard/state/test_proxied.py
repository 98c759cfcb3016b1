"""Three engines behind a proxy, as one dashboard has them."""

from __future__ import annotations

from mmgat.stream.bus.protocol import Message
from mmgat.stream.bus.stamp import Stamp
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from mmgat.stream.proxy.merge import Merge
from tests.stream.dashboard.builders import MIC, estimate, event, hello, status

ENGINES = {"hall": "violin", "studio": "piano", "stage": "drums"}


class Proxied:
    """A dashboard's state behind the proxy's own merging and numbering."""

    def __init__(self) -> None:
        self._merge, self._stamp = Merge(list(ENGINES)), Stamp("proxy")
        self.state = DashboardState(address="tcp://127.0.0.1:5550")

    def hear(self, engine: str, *messages: Message) -> None:
        for message in messages:
            for one in self._merge.take(engine, message):
                self.state = advance(self.state, self._stamp(one), 0.0)


def three() -> Proxied:
    proxied = Proxied()
    for t in (10.0, 10.5):  # the engines speak in turns
        for name, label in ENGINES.items():
            if t == 10.0:
                proxied.hear(name, hello(session=name))
                proxied.hear(name, event("on", label, 9.0, 9.0, session=name))
            proxied.hear(name, estimate(t, (label,), session=name), status(session=name))
    return proxied


def test_each_engine_has_its_own_sources_and_none_takes_anothers_place() -> None:
    state = three().state
    assert state.names() == [f"{name}: {MIC}" for name in ENGINES]
    for name, label in ENGINES.items():
        source = state.sources[f"{name}: {MIC}"]
        assert source.active == (label,)
        assert source.sounding_s(label) == 1.5
        assert len(source.history.runs) == 1
    assert not any("anew" in entry.text for entry in state.entries)


def test_one_that_is_started_anew_keeps_its_past_and_the_others_go_on() -> None:
    proxied = three()
    proxied.hear("studio", hello(session="studio 2"))
    proxied.hear("studio", estimate(1.0, (), session="studio 2"))
    state = proxied.state
    restarted = state.sources[f"studio: {MIC}"].history
    assert len(restarted.runs) == 2
    assert [(one.label, one.onset_s) for one in restarted.closed] == [("piano", 9.0)]
    assert len(state.sources[f"hall: {MIC}"].history.runs) == 1
    assert state.sources[f"hall: {MIC}"].active == ("violin",)
    assert any("the engine was started anew" in entry.text for entry in state.entries)
