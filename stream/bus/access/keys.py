"""Keys of the bus: pairs in files as ZeroMQ's other tools write them, and who holds which."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
import zmq.auth
import zmq.utils.z85

from mmgat.stream.bus.validation import printable
from mmgat.stream.errors import SettingsError

PUBLIC: Final = ".key"
SECRET: Final = ".key_secret"
N_CHARACTERS: Final = 40
"""Of a key in Z85."""

MAX_FILE_BYTES: Final = 65_536


@dataclass(frozen=True)
class KeyPair:
    """A public and a secret key, in Z85."""

    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class ServerKeys:
    """What a secured engine or proxy needs: its own pair, and the folder of readers it lets in.

    Files may come and go in the folder; a reader that connects is looked up there.

    Example::

        keys = ServerKeys.read(Path("engine.key_secret"), Path("clients"))
        publisher = Publisher("tcp://0.0.0.0:5550", keys=keys)
    """

    own: KeyPair
    clients: Path

    @classmethod
    def read(cls, own: Path, clients: Path) -> ServerKeys:
        """From the engine's ``.key_secret`` file and a folder of the readers' ``.key`` files.

        Raises:
            SettingsError: one of them is not there, or is none.
        """
        if not clients.is_dir():
            raise SettingsError(
                f"expected a folder with the public keys of the readers, found none at "
                f"{str(clients)!r}: make it, and put their NAME{PUBLIC} files into it"
            )
        return cls(read_pair(own), clients)

    def name_of(self, public: bytes) -> str:
        """The name of the file that has a public key; "" if no file has it."""
        for path in sorted(self.clients.glob(f"*{PUBLIC}")):
            with contextlib.suppress(SettingsError):  # a damaged file lets nobody in
                if read_public(path) == public:
                    return printable(path.name.removesuffix(PUBLIC))
        return ""


@dataclass(frozen=True)
class ClientKeys:
    """What a reader of a secured engine needs: its own pair, and the engine's public key.

    Example::

        keys = ClientKeys.read(Path("laptop.key_secret"), Path("engine.key"))
        subscriber = Subscriber("tcp://studio:5550", keys=keys)
    """

    own: KeyPair
    server: bytes

    @classmethod
    def read(cls, own: Path, server: Path) -> ClientKeys:
        """From the reader's ``.key_secret`` file and the engine's ``.key`` file.

        Raises:
            SettingsError: one of them is not there, or is none.
        """
        return cls(read_pair(own), read_public(server))


def make_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Writes a new pair into ``NAME.key`` and ``NAME.key_secret``, readable by this user alone.

    Returns:
        both paths, the public one first.

    Raises:
        SettingsError: the name is none, a file of that name is there, or the folder refuses.
    """
    if not name or not name.isprintable() or name != os.path.basename(name) or name[0] == ".":
        raise SettingsError(f"expected a name such as studio, found {name!r}: --folder says where")
    paths = folder / f"{name}{PUBLIC}", folder / f"{name}{SECRET}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
            made = [Path(path) for path in zmq.auth.create_certificates(new, name)]
            for path in made:
                path.chmod(0o600)
            for path, wanted in zip(reversed(made), reversed(paths), strict=True):
                os.link(path, wanted)  # never replaces a file
    except FileExistsError as error:
        there = str(error.filename2)
        raise SettingsError(
            f"expected no file of that name, found {there!r}, which is kept: choose another name"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"expected a folder to write keys into, found {str(folder)!r} ({error.strerror})"
        ) from None
    return paths


def read_pair(path: Path) -> KeyPair:
    """The pair in a ``.key_secret`` file.

    Raises:
        SettingsError: it is not there, is none, or others may read it.
    """
    public, secret = _read(path)
    if secret is None:
        raise SettingsError(
            f"expected a secret key, found only a public one in {str(path)!r}: name the "
            f"{SECRET} file that mmgat-keys has written"
        )
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise SettingsError(
            f"expected a secret key that only its user can read, found {str(path)!r} open to "
            f"others: chmod 600 {str(path)!r}"
        )
    if zmq.curve_public(secret) != public:
        raise SettingsError(
            f"expected a pair of keys, found two that do not match in {str(path)!r}"
        )
    return KeyPair(public, secret)


def read_public(path: Path) -> bytes:
    """The public key in a ``.key`` file.

    Raises:
        SettingsError: it is not there, or is none.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[bytes, bytes | None]:
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("no such file" if not path.exists() else "no file of keys")
        public, secret = zmq.auth.load_certificate(path)
        for key in filter(None, (public, secret)):
            if len(key) != N_CHARACTERS:
                raise ValueError(f"a key of {len(key)} characters, not {N_CHARACTERS}")
            zmq.utils.z85.decode(key)
    except (OSError, ValueError, KeyError, IndexError) as error:
        why = printable(getattr(error, "strerror", None) or str(error))
        raise SettingsError(
            f"expected a file of keys as mmgat-keys writes it, found {str(path)!r} ({why})"
        ) from None
    return public, secret
