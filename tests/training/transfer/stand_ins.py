"""Parts and class names without any recordings."""

import numpy as np

from mmgat.model.embedders.tags import TAGS
from mmgat.training.data.published.audioset_names import LABEL_NAMES
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, PACKED_KINDS, Part

RATE = 32_000


def class_names() -> list[str]:
    """527 class names in an order of their own: all that labels and tags need, and fillers."""
    needed = {name for group in LABEL_NAMES.values() for name in group} | set(TAGS)
    music = sorted(needed - {"Music", "Scary music", "Speech", "Silence", "Noise"})
    between = 172 - 5 - len(music)  # as many are kept as of AudioSet's own
    fillers = [f"music {n}" for n in range(between)]
    found = ["Speech", "Silence", "Noise", "Music", *music, *fillers, "Scary music"]
    return [*found, *(f"class {n}" for n in range(527 - len(found)))]


class Notes:
    """Makes parts without any recordings: a tone a label; pieces have two, now and then nine."""

    def group(self, kind: str, index: int) -> list[Part]:
        rng = np.random.default_rng((PACKED_KINDS.index(kind), index))
        if kind == "pieces":
            return [self._tone(rng, label) for label in ("flute", "violin")] * (
                9 if index == 1 else 1
            )
        return [self._tone(rng, "piano" if kind == "players" else None)]

    def _tone(self, rng: np.random.Generator, label: str | None) -> Part:
        time = np.arange(CLIP_SAMPLES) / RATE
        audio = 0.2 * np.sin(2 * np.pi * rng.uniform(200, 2000) * time) * (time > 3)
        ambiguous = frozenset({"cello"}) if label == "violin" else frozenset()
        return Part(audio.astype(np.float32), label, ambiguous)
