"""ReaScript for REAPER: a region for every instrument that sounds, as it is heard.

1. REAPER, Preferences, Plug-ins, ReaScript: choose a Python; run ``pip install pyzmq msgspec`` for it.
2. Actions, Show action list, New action, Load ReaScript: this file.
3. Run the action and record or play. A marker is set where an instrument begins; when it ends the
   marker becomes a region. Run the action again to stop.

Times: what was heard at the moment is where REAPER plays, or the edit cursor stands, now; so what is
late by the engine's latency is put back by it. The address is the environment's MMGAT_CONNECT, or the
default.
"""

import os
import time

import msgspec
import zmq
from reaper_python import (
    RPR_AddProjectMarker2,
    RPR_atexit,
    RPR_defer,
    RPR_DeleteProjectMarker,
    RPR_GetCursorPosition,
    RPR_GetPlayPosition,
    RPR_GetPlayState,
    RPR_ShowConsoleMsg,
)

ADDRESS = os.environ.get("MMGAT_CONNECT", "tcp://127.0.0.1:5550")
TOPICS = b"mmgat/v2/event/", b"mmgat/v2/estimate/"
MAX_MESSAGES_AT_ONCE = 100  # of a call of REAPER's, which must be short


class Markers:
    """Reads what waits and sets markers; REAPER calls ``run`` some thirty times a second."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        for topic in TOPICS:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(ADDRESS)
        self.decoder = msgspec.msgpack.Decoder()
        self.last: dict[tuple[bytes, str], int] = {}
        self.begun: dict[tuple[str, str], tuple[int, float]] = {}  # source, id -> marker, position
        self.heard: dict[str, tuple[float, float]] = {}  # source -> time in the stream, Unix time

    def run(self) -> None:
        for _ in range(MAX_MESSAGES_AT_ONCE):
            try:
                topic, payload = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self.take(topic, self.decoder.decode(payload))
        RPR_defer("markers.run()")

    def take(self, topic: bytes, message: dict) -> None:
        key = topic, message["session"]
        if message.get("replayed") or message["seq"] <= self.last.get(key, -1):
            return  # what was before the script ran has no place in the project
        self.last[key] = message["seq"]
        if topic.startswith(TOPICS[1]):
            unix_s = message["time"] - message.get("latency_ms", 0) / 1000
            self.heard[message["source"]] = message["t1"], unix_s
        elif message["event"] == "on":
            self.begin(message)
        else:
            self.end(message)

    def begin(self, event: dict) -> None:
        position = self.position_of(event)
        marker = RPR_AddProjectMarker2(0, False, position, 0, event["label"], -1, 0)
        self.begun[event["source"], event["id"]] = marker, position

    def end(self, event: dict) -> None:
        marker, position = self.begun.pop((event["source"], event["id"]), (None, 0.0))
        if marker is not None:
            RPR_DeleteProjectMarker(0, marker, False)
            until = max(self.position_of(event), position + 0.01)
            RPR_AddProjectMarker2(0, True, position, until, event["label"], -1, 0)

    def position_of(self, event: dict) -> float:
        """Where in the project it was heard, in seconds."""
        running = RPR_GetPlayState() & 5  # playing or recording
        now = RPR_GetPlayPosition() if running else RPR_GetCursorPosition()
        stream_s, unix_s = self.heard.get(event["source"], (event["time_s"], event["time"]))
        ago_s = time.time() - (unix_s + event["time_s"] - stream_s)
        return max(0.0, now - max(0.0, ago_s) if running else now)

    def close(self) -> None:
        self.context.destroy(linger=0)


markers = Markers()
RPR_ShowConsoleMsg(f"mmgat-stream: markers from {ADDRESS}\n")
RPR_atexit("markers.close()")
markers.run()
