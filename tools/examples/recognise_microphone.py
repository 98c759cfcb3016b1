"""Prints the instruments that a microphone hears, until Ctrl+C.

python tools/examples/recognise_microphone.py            the system's default input
python tools/examples/recognise_microphone.py Scarlett   a device by a part of its name
"""

import signal
import sys

from mmgat.stream import (
    DeviceSource,
    Engine,
    Event,
    Input,
    ReconnectingSource,
    StreamError,
    load_recognizer,
)


def show(message: object) -> None:
    """Prints an instrument that begins or ends."""
    if isinstance(message, Event):
        print(f"{message.time_s:8.1f} s  {message.label} {message.event}", flush=True)


def main() -> None:
    """Recognises what a device gives; one that is unplugged is heard again when it is back."""
    source = ReconnectingSource(DeviceSource(sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        source.probe()
        engine = Engine([Input(source)], load_recognizer(), [show])
        engine.start()
    except StreamError as error:
        sys.exit(str(error))
    print(f"listening to {source.name}", flush=True)
    signal.signal(signal.SIGINT, lambda *_: engine.stop())
    while not engine.wait(0.5):
        pass
    (status,) = engine.statuses()
    print(f"{status.captured / status.sample_rate_hz:.1f} s heard, {status.outages} outages")


if __name__ == "__main__":
    main()
