"""The MQTT bridge: topics and discovery, and mosquitto in a process of its own."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage

from mmgat.stream.bridges.base import ReceiverAway, SourceLost
from mmgat.stream.bridges.mqtt import bridge as mqtt
from mmgat.stream.bridges.mqtt.topics import Publication, TopicMapper
from mmgat.stream.bus.protocol import Hello, to_json
from tests.stream.bridges.running import PATIENCE_S, Process, bridge, free_port, publishing
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event

MOSQUITTO = "/usr/sbin/mosquitto"


def test_an_instrument_is_a_retained_state_and_an_event() -> None:
    begun = event(2.0)
    assert TopicMapper().publications(begun) == [
        Publication("mmgat/lab/a/state", "ON"),
        Publication("mmgat/lab/event", to_json(begun), retain=False),
    ]
    assert TopicMapper().publications(event(event="off"))[0].payload == "OFF"


def test_scores_go_out_when_they_have_moved() -> None:
    mapper = TopicMapper(score_step=0.125)
    scores = [0.5, 0.5625, 0.4375, 0.625, 0.6875]
    sent = [
        p.payload
        for score in scores
        for p in mapper.publications(msgspec.structs.replace(ESTIMATE, scores={"a": score}))
        if p.topic == "mmgat/lab/a/score"
    ]
    assert sent == ["0.50", "0.62"]


def test_a_source_is_available_while_it_runs() -> None:
    mapper = TopicMapper()
    ended = msgspec.structs.replace(STATUS, state="ended")
    signals = (STATUS, ended, SourceLost(source="lab"))
    found = [mapper.publications(signal)[0] for signal in signals]
    assert {topic for topic, _, _ in found} == {"mmgat/lab/available"}
    assert [payload for _, payload, _ in found] == ["online", "offline", "offline"]


def test_a_source_is_announced_once_before_it_is_first_named() -> None:
    mapper = TopicMapper()
    assert mapper.publications(HELLO) == []
    topics = [publication.topic for publication in mapper.publications(STATUS)]
    assert topics == [
        "homeassistant/sensor/mmgat_lab_level/config",
        "homeassistant/binary_sensor/mmgat_lab_a/config",
        "homeassistant/sensor/mmgat_lab_a_score/config",
        "mmgat/lab/a/state", "mmgat/lab/available", "mmgat/lab/status",
    ]  # fmt: skip
    assert len(mapper.publications(STATUS)) == 2


def states(mapper: TopicMapper, hello: Hello) -> list[str]:
    """What the states of instruments are set to once a hello has come."""
    mapper.publications(hello)
    return [p.payload for p in mapper.publications(ESTIMATE) if p.topic.endswith("/state")]


def test_a_hello_sets_no_instrument_to_off_but_that_of_an_engine_started_anew() -> None:
    """It comes again when thresholds are changed, while instruments sound."""
    mapper = TopicMapper()
    assert states(mapper, msgspec.structs.replace(HELLO, session="a")) == ["OFF"]
    assert states(mapper, msgspec.structs.replace(HELLO, session="a", nodes=11)) == []
    assert states(mapper, msgspec.structs.replace(HELLO, session="b")) == ["OFF"]


def test_a_source_that_was_lost_is_announced_again_with_all_its_values() -> None:
    mapper = TopicMapper()
    mapper.publications(HELLO)
    first = mapper.publications(ESTIMATE)
    assert mapper.publications(ESTIMATE) == []
    mapper.publications(SourceLost(source="lab"))
    assert mapper.publications(ESTIMATE) == first


def test_discovery_leads_to_the_topics_that_are_published() -> None:
    mapper = TopicMapper(base="house/music")
    mapper.publications(HELLO)
    found = {p.topic: p.payload for p in mapper.publications(event(source="Front desk 1"))}
    card = json.loads(found["homeassistant/binary_sensor/house_music_front_desk_1_a/config"])
    assert card["state_topic"] == "house/music/Front_desk_1/a/state"
    assert card["state_topic"] in found
    assert [a["topic"] for a in card["availability"]] == [
        "house/music/status", "house/music/Front_desk_1/available",
    ]  # fmt: skip
    assert card["unique_id"] == "house_music_front_desk_1_a"


def broker(port: int, folder: Path, *lines: str) -> Process:
    """mosquitto, once it answers."""
    configuration = folder / "mosquitto.conf"
    configuration.write_text("\n".join([f"listener {port} 127.0.0.1", *lines, ""]))
    process = Process(MOSQUITTO, "-c", configuration)
    process.err.until("running")
    return process


@contextlib.contextmanager
def listening(port: int) -> Iterator[queue.Queue[tuple[str, str]]]:
    """What a client of its own gets of all topics."""
    found: queue.Queue[tuple[str, str]] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        found.put((message.topic, message.payload.decode()))

    client.on_message = note
    client.connect("127.0.0.1", port)
    client.subscribe("#", qos=1)
    client.loop_start()
    try:
        yield found
    finally:
        client.disconnect()
        client.loop_stop()


def wait_for(found: queue.Queue[tuple[str, str]], wanted: tuple[str, str]) -> None:
    while found.get(timeout=PATIENCE_S) != wanted:
        pass


def test_states_reach_mosquitto_and_survive_its_absence(tmp_path: Path) -> None:
    port = free_port()
    with publishing("lab") as publisher:
        publisher(event())
        with bridge("mqtt", publisher.address, "--port", port, "--host", "127.0.0.1") as process:
            line = process.err.until("expected an MQTT broker")
            assert f"at 127.0.0.1 port {port}, found Connection refused: trying again" in line
            first = broker(port, tmp_path, "allow_anonymous true")
            assert "were not delivered meanwhile" in process.err.until("is back")
            with first, listening(port) as found:
                wait_for(found, ("mmgat/lab/a/state", "ON"))
            process.err.until("expected an MQTT broker")
            with broker(port, tmp_path, "allow_anonymous true"):
                process.err.until("is back")
                with listening(port) as found:
                    wait_for(found, ("mmgat/lab/a/state", "ON"))
                    publisher(event(1.0, event="off"))
                    wait_for(found, ("mmgat/lab/a/state", "OFF"))
                    process.popen.kill()
                    wait_for(found, ("mmgat/status", "offline"))


def test_a_broker_that_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    with (
        broker(port, tmp_path, "allow_anonymous false"),
        publishing("lab") as publisher,
        bridge("mqtt", publisher.address, "--port", port, "--host", "127.0.0.1") as process,
    ):
        line = process.err.until("expected an MQTT broker")
        assert "'Not authorized': check --username and --password-file" in line
        assert process.terminate() == 0


def test_a_normal_end_says_offline(tmp_path: Path) -> None:
    port = free_port()
    with broker(port, tmp_path, "allow_anonymous true"), publishing("lab") as publisher:
        publisher(event())
        with (
            listening(port) as found,
            bridge("mqtt", publisher.address, "--port", port, "--host", "127.0.0.1") as process,
        ):
            wait_for(found, ("mmgat/lab/a/state", "ON"))
            assert process.terminate() == 0
            wait_for(found, ("mmgat/lab/a/state", "OFF"))
            wait_for(found, ("mmgat/status", "offline"))


def test_a_port_that_is_none_is_told() -> None:
    with bridge("mqtt", "tcp://127.0.0.1:1", "--port", "99999") as process:
        line = process.err.until("--port")
        assert "expected a whole number from 1 to 65535, found '99999'" in line
        assert process.popen.wait(PATIENCE_S) == 1


def test_a_port_that_is_silent_is_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = mqtt.MqttSettings(host="127.0.0.1", port=silent.getsockname()[1])
        silent_bridge = mqtt.MqttBridge(settings)
        with pytest.raises(ReceiverAway, match="found no answer within"):
            silent_bridge.open()
        silent_bridge.close()
