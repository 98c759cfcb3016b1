"""Where published weights are: a user's own file, or the user's cache, which a download fills once."""

from __future__ import annotations

import contextlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmgat.model.card import sha256_of
from mmgat.model.embedders.vggish.cache import cache_folder
from mmgat.training.errors import TrainingDataError


@dataclass(frozen=True)
class Published:
    """A file of weights as its authors publish it.

    Attributes:
        title: of the network.
        file: its name.
        licence: in a word.
        source: where a person finds it.
        url: what is downloaded; "" if the user has to fetch it.
        megabytes: its size.
        sha256: of the file; "" if its authors publish none, see ``note``.
        note: about the hash, in words.
    """

    title: str
    file: str
    licence: str
    source: str
    url: str = ""
    megabytes: int = 0
    sha256: str = ""
    note: str = ""


def weights_folder() -> Path:
    """Where downloaded weights are kept, in the user's cache."""
    return cache_folder() / "weights"


def find_weights(published: Published, own: Path | None = None) -> Path:
    """Returns the file of weights; it is downloaded, with a progress bar, if it is not there.

    A file whose hash is not known is remembered by the hash of its first download, and refused when
    that changes.

    Args:
        published: what is looked for.
        own: the user's file, which is taken as it is.

    Raises:
        TrainingDataError: it is not there and cannot be fetched, or it is damaged.
    """
    if own is not None:
        if not own.is_file():
            raise TrainingDataError(
                f"expected the weights of {published.title} at {own}, found no file: fetch "
                f"{published.file} from {published.source}"
            )
        return own
    path = weights_folder() / published.file
    remembered = path.with_name(f"{path.name}.sha256")
    if not path.is_file():
        if not published.url:
            raise TrainingDataError(
                f"expected --weights with {published.file} of {published.title}, or that file in "
                f"{path.parent}, found neither: fetch it from {published.source}"
            )
        _download(published, path)
        if not published.sha256:
            remembered.write_text(sha256_of(path) + "\n", "ascii")
    expected = published.sha256
    if not expected:
        with contextlib.suppress(OSError):
            expected = remembered.read_text("ascii").strip()
    if expected and sha256_of(path) != expected:
        raise TrainingDataError(
            f"expected {path} with sha256 {expected}, found another file: delete it, and it is "
            "fetched again"
        )
    return path


def _download(published: Published, path: Path) -> None:
    import pooch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            published.url,
            known_hash=f"sha256:{published.sha256}" if published.sha256 else None,
            fname=path.name,
            path=path.parent,
            progressbar=True,
        )
    except Exception as error:  # pooch passes on what requests raises
        reason = str(error).partition("\n")[0] or type(error).__name__
        if getattr(error, "response", "") is None:  # of requests: nobody answered
            reason = f"no connection to {published.url.split('/')[2]}"
        raise TrainingDataError(
            f"expected to download {published.url} ({published.megabytes} MB), found {reason}: "
            f"check the connection, or fetch {published.file} from {published.source} on another "
            "machine and give it as --weights"
        ) from error


def load_tensors(path: Path, published: Published) -> dict[str, Any]:
    """Reads a file of torch; nothing but tensors and plain values is unpickled.

    Raises:
        TrainingDataError: it is damaged or holds something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise TrainingDataError(
            f"expected the weights of {published.title} in {path}, found no file of torch "
            f"({str(error).splitlines()[0]}): fetch it again"
        ) from None
    if not isinstance(state, dict):
        raise TrainingDataError(
            f"expected the weights of {published.title} in {path}, found {type(state).__name__}"
        )
    return state


def fill(network: torch.nn.Module, state: dict[str, Tensor], path: Path, title: str) -> None:
    """Copies tensors into a network; tensors that it does not have are left out.

    Raises:
        TrainingDataError: one is missing or has another shape.
    """
    own = network.state_dict()
    found = {name: tensor for name, tensor in state.items() if name in own}
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise TrainingDataError(
            f"expected the weights of {title} in {path}, found others: {lines[-1].strip()[:200]}"
        ) from None
    network.eval().requires_grad_(False)
