"""SVM: Bosch, Janer, Fuhrmann, Herrera, "A Comparison of Sound Segregation Techniques for Predominant
Instrument Recognition in Musical Audio Signals", ISMIR 2012.

Known: handcrafted frame features, mean and variance, a support vector machine with polynomial
kernel; the panorama split into left, right, middle and side. Our reconstruction: 41 features, their
mean, deviation and differences, of the middle and the side: 328 numbers a clip; standardised; for
each label scikit-learn's ``SVC`` of degree 4 on what is known of it. Its score is the sigmoid of the
decision function, so that 0.5 is the border. The source separation (FASST) that gave most in the
paper is left out. Ours too: the same on single seconds of the middle, which can be heard live.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.windows import WindowModel
from mmgat.training.data.bags import Bags

DEGREE: Final = 4
NEVER: Final = -7.0
"""Logit of a label without both positives and negatives in training."""


class SVMConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the machines learn from.

    Attributes:
        shape: numbers of a window.
        windows: of each clip, drawn at random; all if it has fewer.
    """

    shape: tuple[int] = (328,)
    windows: int = 2


class SupportVectors(WindowModel):
    """The fitted machines of all labels: windows [W, D] -> their decision functions [W, 20].

    Its tensors are empty until it is fitted, or a fitted one's are loaded.
    """

    mean: Tensor
    scale: Tensor
    vectors: nn.Parameter
    shares: nn.Parameter
    borders: Tensor

    def __init__(self, config: SVMConfig) -> None:
        super().__init__(config.shape)
        size = config.shape[0]
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("borders", torch.full((N_LABELS,), NEVER))
        self.vectors = nn.Parameter(torch.zeros(0, size), requires_grad=False)
        self.shares = nn.Parameter(torch.zeros(0, N_LABELS), requires_grad=False)

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes the decision functions."""
        near = ((x - self.mean) / self.scale) @ self.vectors.T / x.shape[1]
        return (near + 1) ** DEGREE @ self.shares + self.borders, {}

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Tensor], prefix: str, *rest: Any
    ) -> None:
        """Makes room for fitted machines, however many support vectors those have."""
        for name in ("vectors", "shares"):
            fitted = state_dict.get(prefix + name)
            if fitted is not None and fitted.shape[1:] == getattr(self, name).shape[1:]:
                setattr(self, name, nn.Parameter(torch.empty_like(fitted), requires_grad=False))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def fit(self, train: Bags, config: SVMConfig, seed: int) -> SupportVectors:
        """Fits a machine to the known windows of each label, or clips where no window is labelled.

        Args:
            train: bags of windows.
            config: of the system.
            seed: of the choice of windows.
        """
        features, target, weight = learned_from(train, config.windows, seed)
        scaler = StandardScaler().fit(features)
        features = scaler.transform(features)
        shares, borders = np.zeros((len(features), N_LABELS)), np.full(N_LABELS, NEVER)
        for label in range(N_LABELS):
            known = np.flatnonzero(weight[:, label] > 0)
            positive = target[known, label] >= 0.5
            if positive.all() or not positive.any():
                continue
            machine = make_classifier().fit(features[known], positive)
            shares[known[machine.support_], label] = machine.dual_coef_[0]
            borders[label] = machine.intercept_[0]
        used = shares.any(axis=1)

        def tensor(values: Any) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32))

        self.mean, self.scale = tensor(scaler.mean_), tensor(scaler.scale_)
        self.borders = tensor(borders)
        self.vectors = nn.Parameter(tensor(features[used]), requires_grad=False)
        self.shares = nn.Parameter(tensor(shares[used]), requires_grad=False)
        return self.eval()


def make_classifier() -> SVC:
    """Builds the classifier of one label, for standardised features."""
    return SVC(
        kernel="poly", degree=DEGREE, gamma="auto", coef0=1.0, class_weight="balanced",
        cache_size=500,
    )  # fmt: skip


def learned_from(bags: Bags, n_windows: int, seed: int) -> tuple[Any, Any, Any]:
    """Some windows of every bag, float64 [W, D], with targets and weights [W, 20]."""
    order = torch.rand(bags.mask().shape, generator=torch.Generator().manual_seed(seed))
    order = order.masked_fill(~bags.mask(), 2.0).argsort(dim=1)
    chosen = order[:, :n_windows]
    real = torch.arange(chosen.shape[1]) < bags.lengths[:, None]
    bag = torch.arange(len(bags))[:, None]
    target, weight = bags.instance[bag, chosen], bags.instance_weight[bag, chosen]
    if not bags.instance_weight.any():
        target = bags.bag[:, None].expand_as(target)
        weight = bags.bag_weight[:, None].expand_as(weight)
    features = bags.embeddings[bag, chosen]
    found = [part[real].double().numpy() for part in (features, target, weight)]
    return found[0], found[1], found[2]
