import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmgat.model.labels import LABELS
from mmgat.training.synthesis import labelling
from mmgat.training.transfer.audio.mixing import KINDS, Mixer, labels_by_level, node_levels
from mmgat.training.transfer.audio.noise import steady_noise
from mmgat.training.transfer.audio.packed import PackedSet
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, N_NODES

CPU = torch.device("cpu")


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_labels_are_those_of_the_mixtures_one_by_one(seed: int, n_parts: int) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.uniform(-110, 0, (3, n_parts, N_NODES)).astype(np.float32)
    total = levels.max(axis=1) + rng.uniform(0, 12, (3, N_NODES)).astype(np.float32)
    labels = rng.integers(-1, 20, (3, n_parts))
    ambiguous = rng.random((3, n_parts, 20)) < 0.1
    found = labels_by_level(*(torch.from_numpy(v) for v in (total, levels, labels, ambiguous)))
    for clip in range(3):
        parts = [
            (
                levels[clip, part],
                LABELS[labels[clip, part]] if labels[clip, part] >= 0 else None,
                frozenset(np.array(LABELS)[ambiguous[clip, part]].tolist()),
            )
            for part in range(n_parts)
        ]
        expected = labelling.labels_by_level(total[clip], parts)
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(values[clip], wanted)


@pytest.fixture(scope="module")
def mixer(packed: PackedSet) -> Mixer:
    return Mixer(packed, "train")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_gives_the_same_clips(mixer: Mixer, kind: str) -> None:
    one, same, other = (mixer.clips(kind, 3, np.random.default_rng(s)) for s in (0, 0, 1))
    assert one.audio.shape == (3, CLIP_SAMPLES)
    assert one.labels.shape == one.known.shape == (3, N_NODES, 20)
    for values, wanted in zip(one, same, strict=True):
        assert torch.equal(values, wanted)
    assert not torch.equal(one.audio, other.audio)


def test_clips_are_labelled_with_what_is_heard_of_them(mixer: Mixer) -> None:
    rng = np.random.default_rng(0)
    piano, cello = LABELS.index("piano"), LABELS.index("cello")
    notes = mixer.clips("notes", 8, rng)
    assert notes.labels[:, 4:, piano].all()
    assert not notes.labels[:, :1].any()  # parts begin after three seconds, a lead before
    assert notes.known.all()
    pieces = mixer.clips("pieces", 16, rng)
    violin = pieces.labels[..., LABELS.index("violin")]
    flute = pieces.labels[..., LABELS.index("flute")]
    both = (flute & violin)[:, 4:]
    assert both.any()
    assert not both.all()  # some stems alone
    assert not pieces.known[..., cello][violin].any()
    assert not mixer.clips("music", 4, rng).known.any()
    for kind in ("sounds", "noise"):
        silent = mixer.clips(kind, 4, rng)
        assert silent.known.all()
        assert not silent.labels.any()


def test_players_are_at_levels_below_the_loudest(mixer: Mixer) -> None:
    loudest = node_levels(mixer.clips("notes", 30, np.random.default_rng(1)).audio).amax(-1)
    assert (loudest > -21).all()
    assert (loudest < -12).all()
    assert loudest.std() > 0.1


def test_noise_has_one_loudness_and_hum_its_harmonics() -> None:
    noise = steady_noise(60, 1 << 15, np.random.default_rng(0), CPU)
    torch.testing.assert_close(noise.square().mean(-1), torch.ones(60), atol=1e-3, rtol=0)
    power = torch.fft.rfft(noise).abs().square()
    tops = power.amax(-1) / power.sum(-1)
    hums = (tops > 0.1).sum()
    assert 5 <= hums <= 35  # a quarter or so
    below = power[:, : power.shape[1] // 8].sum(-1) / power.sum(-1)
    assert below[tops < 0.1].std() > 0.1  # of many colours
