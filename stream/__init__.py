"""Live recognition of musical instruments: what a program needs of it.

    from pathlib import Path
    from mmgat.stream import Engine, FileSource, Input, load_recognizer

    source = FileSource(Path("song.flac"))
    source.probe()
    engine = Engine([Input(source)], load_recognizer(), [print])
    engine.start()
    engine.wait()

Names are imported when they are first used, so a subscriber needs neither a model nor PortAudio.
Whatever else is in this package may change without notice.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # ``typing`` takes 5 ms, in which Ctrl+C would be a traceback
if TYPE_CHECKING:
    from mmgat.stream.audio.devices.device import DeviceSource as DeviceSource
    from mmgat.stream.audio.file import FileSource as FileSource
    from mmgat.stream.audio.inputs import Input as Input
    from mmgat.stream.audio.reconnect import ReconnectingSource as ReconnectingSource
    from mmgat.stream.audio.source import AudioSource as AudioSource
    from mmgat.stream.audio.source import Block as Block
    from mmgat.stream.audio.stdin import StdinSource as StdinSource
    from mmgat.stream.bus.access.keys import ClientKeys as ClientKeys
    from mmgat.stream.bus.access.keys import ServerKeys as ServerKeys
    from mmgat.stream.bus.protocol import Estimate as Estimate
    from mmgat.stream.bus.protocol import Event as Event
    from mmgat.stream.bus.protocol import Graph as Graph
    from mmgat.stream.bus.protocol import Hello as Hello
    from mmgat.stream.bus.protocol import Lifecycle as Lifecycle
    from mmgat.stream.bus.protocol import Mark as Mark
    from mmgat.stream.bus.protocol import Status as Status
    from mmgat.stream.bus.publisher import Publisher as Publisher
    from mmgat.stream.bus.subscriber import AsyncSubscriber as AsyncSubscriber
    from mmgat.stream.bus.subscriber import Subscriber as Subscriber
    from mmgat.stream.control.client import AsyncControlClient as AsyncControlClient
    from mmgat.stream.control.client import ControlClient as ControlClient
    from mmgat.stream.engine.engine import Engine as Engine
    from mmgat.stream.errors import StreamError as StreamError
    from mmgat.stream.recognition.pipeline import Pipeline as Pipeline
    from mmgat.stream.recognition.recognizer import Recognizer as Recognizer
    from mmgat.stream.recognition.recognizer import load_recognizer as load_recognizer
    from mmgat.stream.settings import DecisionSettings as DecisionSettings
    from mmgat.stream.settings import StreamSettings as StreamSettings
    from mmgat.stream.sinks.base import Sink as Sink

_MODULES = {
    "AsyncControlClient": "control.client",
    "AsyncSubscriber": "bus.subscriber",
    "AudioSource": "audio.source",
    "Block": "audio.source",
    "ClientKeys": "bus.access.keys",
    "ControlClient": "control.client",
    "DecisionSettings": "settings",
    "DeviceSource": "audio.devices.device",
    "Engine": "engine.engine",
    "Estimate": "bus.protocol",
    "Event": "bus.protocol",
    "FileSource": "audio.file",
    "Graph": "bus.protocol",
    "Hello": "bus.protocol",
    "Input": "audio.inputs",
    "Lifecycle": "bus.protocol",
    "Mark": "bus.protocol",
    "Pipeline": "recognition.pipeline",
    "Publisher": "bus.publisher",
    "Recognizer": "recognition.recognizer",
    "ReconnectingSource": "audio.reconnect",
    "ServerKeys": "bus.access.keys",
    "Sink": "sinks.base",
    "Status": "bus.protocol",
    "StdinSource": "audio.stdin",
    "StreamError": "errors",
    "StreamSettings": "settings",
    "Subscriber": "bus.subscriber",
    "load_recognizer": "recognition.recognizer",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
