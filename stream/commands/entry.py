"""Where every installed command begins: it is light, and a signal meets no traceback from here on.

While a command is imported Ctrl+C ends the process at once, as it ends any program; afterwards the
command decides. Closed standard streams are opened on the null device, so that no file or socket
takes their numbers.
"""

from __future__ import annotations

import signal

COMMANDS = {
    "mmgat-stream": "mmgat.stream.commands.stream",
    "mmgat-tag": "mmgat.stream.commands.tag",
    "mmgat-annotate": "mmgat.stream.commands.annotate",
    "mmgat-find": "mmgat.stream.commands.find",
    "mmgat-listen": "mmgat.stream.commands.listen",
    "mmgat-dashboard": "mmgat.stream.dashboard.__main__",
    "mmgat-keys": "mmgat.stream.commands.keys",
    "mmgat-control": "mmgat.stream.commands.control",
    "mmgat-proxy": "mmgat.stream.commands.proxy",
    "mmgat-bridge": "mmgat.stream.commands.bridge",
}
"""Name of a command -> module whose ``main`` it is."""

MIN_FILES = 24
"""A file at full speed needs 10 beside the standard streams, on Linux."""


def stream() -> None:
    """Runs ``mmgat-stream``."""
    _run("mmgat-stream")


def tag() -> None:
    """Runs ``mmgat-tag``."""
    _run("mmgat-tag")


def annotate() -> None:
    """Runs ``mmgat-annotate``."""
    _run("mmgat-annotate")


def find() -> None:
    """Runs ``mmgat-find``."""
    _run("mmgat-find")


def listen() -> None:
    """Runs ``mmgat-listen``."""
    _run("mmgat-listen")


def dashboard() -> None:
    """Runs ``mmgat-dashboard``."""
    _run("mmgat-dashboard")


def keys() -> None:
    """Runs ``mmgat-keys``."""
    _run("mmgat-keys")


def control() -> None:
    """Runs ``mmgat-control``."""
    _run("mmgat-control")


def bridge() -> None:
    """Runs ``mmgat-bridge``."""
    _run("mmgat-bridge")


def proxy() -> None:
    """Runs ``mmgat-proxy``."""
    _run("mmgat-proxy")


def _run(name: str) -> None:
    """Runs a command as a process; when everything is closed, it ends at once.

    Taking libraries apart, torch above all, would keep the interpreter for another second.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    import contextlib
    import os
    import sys
    from importlib import import_module

    _prepare_standard_streams()
    code: object = 0
    try:
        _require_files(name)
        import_module(COMMANDS[name]).main()
    except SystemExit as end:
        code = end.code
    except BrokenPipeError:
        code = 0
    except OSError as error:  # standard output is full, or the terminal gone
        _tell(name, error)
        code = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        if not code:
            _tell(name, error)
        code = code or 1
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)


def _require_files(name: str) -> None:
    """Sees that the process may open files: sockets, threads and libraries end it else."""
    import os
    import sys

    if sys.platform == "win32":
        return
    opened = []
    try:
        for _ in range(MIN_FILES):
            opened.append(os.dup(0))
    except OSError as error:
        found = f"{len(opened)} ({error.strerror})"
        print(
            f"{name}: expected {MIN_FILES} files that may still be opened, found {found}: raise the "
            "limit (ulimit -n)",
            file=sys.stderr,
        )
        raise SystemExit(1) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _tell(name: str, error: OSError) -> None:
    import contextlib
    import sys

    with contextlib.suppress(OSError, AttributeError):
        place = f" at {error.filename!r}" if error.filename else ""
        sys.stderr.write(
            f"{name}: expected an output that can be written, found {error.strerror or error}{place}\n"
        )


def _prepare_standard_streams() -> None:
    import io
    import os
    import sys

    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for standard in (sys.stdout, sys.stderr):
        if isinstance(standard, io.TextIOWrapper):
            standard.reconfigure(errors="backslashreplace")
