"""Prints the instruments of an audio file, as fast as it can be read.

python tools/examples/recognise_file.py song.flac
"""

import sys
from pathlib import Path

from mmgat.stream import Engine, Event, FileSource, Input, StreamError, load_recognizer


def show(message: object) -> None:
    """Prints an instrument that has ended: the engine calls this with every message."""
    if isinstance(message, Event) and message.event == "off":
        print(f"{message.onset_s:7.1f} to {message.time_s:5.1f} s  {message.label}")


def main() -> None:
    """Recognises the file that is named."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = FileSource(Path(sys.argv[1]))
    try:
        source.probe()
        engine = Engine([Input(source)], load_recognizer(), [show])
        engine.start()
    except StreamError as error:  # says what was expected, what was found, and what to do
        sys.exit(str(error))
    engine.wait()
    for status in engine.statuses():
        print(f"{status.analysed / status.sample_rate_hz:.1f} s analysed")
        if status.message:
            print(status.message)


if __name__ == "__main__":
    main()
