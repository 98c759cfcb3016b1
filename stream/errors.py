"""The one exception family of this package: faults a user can mend, said without a traceback."""

from __future__ import annotations


class StreamError(Exception):
    """What was expected, what was found, what to do.

    Example::

        >>> try:
        ...     StreamSettings(nodes=61)
        ... except StreamError as error:
        ...     print(error)
        nodes: expected a whole number from 1 to 60, found 61: change it, or leave it out for 10
    """


class SourceError(StreamError):
    """Audio that cannot be opened or read."""


class DeviceError(SourceError):
    """An audio device, or PortAudio itself, that is missing, ambiguous or refuses to open."""


class SettingsError(StreamError):
    """A setting outside what is allowed, or settings that exclude each other."""


class PublishError(StreamError):
    """An address that cannot be published on."""


class ProtocolError(StreamError):
    """A message that is not of this protocol."""


class OutputError(StreamError):
    """A place for results that cannot be used as it is, or a format whose library is missing."""


class BridgeError(StreamError):
    """A bridge that cannot be opened: a wrong setting, a missing library or driver."""
