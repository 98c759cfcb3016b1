"""``python -m mmgat.stream`` is ``mmgat-stream``."""

from mmgat.stream.commands.entry import stream

stream()
