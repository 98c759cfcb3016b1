"""``python -m mmgat.stream`` is ``mmgat-stream``."""

from mmgat.stream.commands.stream import run

run()
