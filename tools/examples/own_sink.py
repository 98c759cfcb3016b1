"""A sink of one's own: subtitles (SRT) of the instruments in a file.

python tools/examples/own_sink.py song.flac song.srt
"""

import sys
from pathlib import Path

from mmgat.stream import Engine, Event, FileSource, Input, Sink, StreamError, load_recognizer


def timestamp(seconds: float) -> str:
    """Seconds as SubRip writes them: 00:01:02,345."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02},{rest % 1000:03}"


class Subtitles(Sink):
    """Writes one subtitle an instrument, in the order of their onsets.

    It has a thread of its own: however long it takes, and whatever it raises, recognition goes on.
    """

    name = "subtitles"
    wants = (Event,)
    lossless = True  # a file can wait for it

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended: list[Event] = []

    def handle(self, message: object) -> None:
        """Keeps an instrument that has ended."""
        if isinstance(message, Event) and message.event == "off":
            self._ended.append(message)

    def close(self) -> None:
        """Writes the file."""
        self._ended.sort(key=lambda event: event.onset_s)
        with self._path.open("w", encoding="utf-8") as file:
            for number, event in enumerate(self._ended, 1):
                span = f"{timestamp(event.onset_s)} --> {timestamp(event.time_s)}"
                file.write(f"{number}\n{span}\n{event.label}\n\n")


def main() -> None:
    """Recognises a file into subtitles."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source = FileSource(Path(sys.argv[1]))
    try:
        source.probe()
        engine = Engine([Input(source)], load_recognizer(), [Subtitles(Path(sys.argv[2]))])
        engine.start()
    except StreamError as error:
        sys.exit(str(error))
    engine.wait()  # until the sink is closed, too


if __name__ == "__main__":
    main()
