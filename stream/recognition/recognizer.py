"""Windows -> spectrogram -> sliding graph -> the network -> scores and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.base import HearingBackend, Prediction, ResidentBackend, WholeGraphs
from mmgat.model.backends.loading import LoadedModel, load_model
from mmgat.model.embedders.base import EmbedderSpec
from mmgat.stream.audio.windows import Window, WindowAssembler
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.front_end import IncrementalFrontEnd
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from mmgat.stream.settings import StreamSettings


@dataclass(frozen=True)
class Recognition:
    """MMGAT's output for one more window; L = 20 labels, n nodes so far.

    Attributes:
        scores: float32 [L], the newest node in the light of the graph.
        bag_scores: float32 [L], the graph's seconds together.
        evidence: float32 [n, L], oldest node first; its columns sum to ``bag_scores``.
        node_starts: positions of the nodes, in samples at the embedder's rate.
    """

    scores: npt.NDArray[np.float32]
    bag_scores: npt.NDArray[np.float32]
    evidence: npt.NDArray[np.float32]
    node_starts: list[int]


class StreamState:
    """State of one stream: the frames of its last window, and its sliding graphs.

    Nodes of one graph are one second apart, as in training. With a hop below a second several
    graphs interleave, one a phase.
    """

    def __init__(self, embedder: EmbedderSpec, settings: StreamSettings) -> None:
        rate = embedder.sample_rate_hz
        self.front_end = IncrementalFrontEnd(embedder.front_end)
        self._graphs = [
            GraphBuffer(settings.nodes, embedder.embedding_size)
            for _ in range(rate // round(settings.hop_s * rate))
        ]

    def graph_of(self, window: Window) -> GraphBuffer:
        """The graph of the window's phase."""
        return self._graphs[window.tick % len(self._graphs)]

    def begin_node(self, window: Window) -> GraphBuffer:
        """The graph of the window's phase, with a node for the window."""
        graph = self.graph_of(window)
        graph.begin_node(window.tick // len(self._graphs), window.start)
        return graph


def windows_of(embedder: EmbedderSpec, settings: StreamSettings) -> WindowAssembler:
    """Cuts a stream as an embedder hears it; what lies below the silence gate is silence.

    Args:
        embedder: of the model.
        settings: hop and gate.
    """
    rate_hz = embedder.sample_rate_hz
    silence = 10 ** (settings.decision.silence_dbfs / 20)
    hop_samples = round(settings.hop_s * rate_hz)
    return WindowAssembler(hop_samples, embedder.window_samples, rate_hz, silence)


class Recognizer:
    """The learned part, shared by all streams.

    A call takes the next window of one stream or of several; each joins the graph of its stream
    and phase, and all go through the network together, which costs less than one after the other
    (``python -m tools.benchmark streams``).

    Example::

        >>> recognizer = load_recognizer()
        >>> pipeline = Pipeline(recognizer, "desk", 48_000, StreamSettings())

    Args:
        model: card, embedder and backend.
        settings: hop and nodes.

    Attributes:
        model: as given.
    """

    def __init__(self, model: LoadedModel, settings: StreamSettings | None = None) -> None:
        self.model = model
        self._settings = settings or StreamSettings()

    def check_hop(self, hop_s: float) -> None:
        """Refuses a stream of another hop: its windows would join graphs of other phases.

        Args:
            hop_s: of the stream, in seconds.

        Raises:
            SettingsError: it is not the recogniser's.
        """
        if hop_s != self._settings.hop_s:
            raise SettingsError(
                f"expected a stream of the recogniser's hop, {self._settings.hop_s:g} s, found "
                f"{hop_s:g} s: load the recogniser with the settings of the stream"
            )

    def new_state(self) -> StreamState:
        """The state of a stream that begins."""
        return StreamState(self.model.embedder, self._settings)

    @property
    def warning(self) -> str:
        """What has failed in computing and was mended, in words for a user, or ""."""
        return getattr(self.model.backend, "warning", "")

    def warm_up(self, n_streams: int) -> None:
        """Does all that a first window needs and later ones do not, so that none waits for it.

        Libraries import parts of themselves when they are first used, which fails where no more
        files can be opened; and a device prepares for so many streams.
        """
        embedder, state = self.model.embedder, self.new_state()
        silence = np.zeros(2 * embedder.sample_rate_hz, np.float32)
        window, *_ = windows_of(embedder, self._settings).push(silence)
        if isinstance(self.model.backend, ResidentBackend):
            state.front_end(window)
            self.model.backend.warm_up(n_streams, self._settings.nodes, self._settings.hop_s)
        else:
            self([(state, window)])

    def ahead(
        self, windows: Sequence[tuple[StreamState, Window]], silent: Sequence[bool]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Adds any number of windows to each stream's graphs, as where files are read ahead.

        Nothing but rounding distinguishes it from one call after the other. A stream whose windows
        were added in this way can go on in no other.

        Args:
            windows: those of one stream come in order of their starts.
            silent: of each window, whether its node is dropped once it was read.

        Returns:
            Scores and bag scores, float32 [B, 20], see ``Recognition``.
        """
        backend = self.model.backend
        embeddings = backend.embed(np.array([state.front_end(w) for state, w in windows]))
        wholes = []
        for (state, window), embedding, drop in zip(windows, embeddings, silent, strict=True):
            graph = state.begin_node(window)
            wholes.append(graph.whole(embedding))
            if drop:
                graph.drop_newest()
        return backend.read(WholeGraphs(*map(np.array, zip(*wholes, strict=True))))

    def __call__(self, windows: Sequence[tuple[StreamState, Window]]) -> list[Recognition]:
        """Adds each window to its stream's graph and reads these graphs.

        Args:
            windows: at most one of each stream; those of one stream come in order of their starts.

        Raises:
            Exception: what the computing raises; the graphs are then without these windows.
        """
        graphs = [state.begin_node(window) for state, window in windows]
        try:
            embeddings, scores, evidence, rows = self.predict(windows, graphs)
        except Exception:
            for graph, (state, _) in zip(graphs, windows, strict=True):
                graph.drop_newest()
                state.front_end.forget()
            raise
        for graph, embedding, row in zip(graphs, embeddings, rows, strict=True):
            graph.set_node(embedding, row)
        bag_scores = evidence.sum(axis=1)
        return [
            Recognition(
                scores[i], bag_scores[i], evidence[i].take(graph.slots, axis=0), graph.starts
            )
            for i, graph in enumerate(graphs)
        ]

    def predict(
        self, windows: Sequence[tuple[StreamState, Window]], graphs: list[GraphBuffer]
    ) -> Prediction:
        """What the networks say of windows and the graphs that have a place for them."""
        backend = self.model.backend
        if isinstance(backend, HearingBackend) and backend.hears:
            heard = [state.front_end.hear(window) for state, window in windows]
            return backend.advance_heard(heard, graphs)
        log_mel = np.array([state.front_end(window) for state, window in windows])
        if isinstance(backend, ResidentBackend):
            return backend.advance(log_mel, graphs)
        return backend(log_mel, GraphBuffer.collate(graphs))


def load_recognizer(
    model: str = "compact",
    settings: StreamSettings | None = None,
    compute: str = "auto",
    weights: Path | None = None,
) -> Recognizer:
    """A recogniser by the model's name or checkpoint path.

    Example::

        >>> recognizer = load_recognizer(settings=StreamSettings(hop_s=1.0))
        >>> recognizer.model.card.embedder
        'compact'

    Args:
        model, compute, weights: as for ``load_model``.
        settings: hop and nodes.

    Raises:
        ModelError: the checkpoint, the weights or the device are not to be had.
    """
    return Recognizer(load_model(model, compute, weights), settings)
