"""Comparators without a network, from scikit-learn, on the mean embedding of a bag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.networks import masked_mean
from mmgat.training.data.bags import Bags

Array = npt.NDArray[np.float32]

CLASSICAL: Final[dict[str, Callable[[int], Any]]] = {
    "logistic-regression": lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=300)
    ),
    "random-forest": lambda seed: RandomForestClassifier(
        100, max_depth=8, random_state=seed, n_jobs=-1
    ),
}
"""name -> seed -> classifier; the forest is OpenMIC's published baseline with its settings."""


class PerLabel:
    """One classifier for every label, fitted to the bags whose label is known.

    Args:
        name: of the classifier, see ``CLASSICAL``.
        seed: of its random numbers.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._classifiers = [CLASSICAL[name](seed) for _ in range(N_LABELS)]

    def fit(self, train: Bags) -> PerLabel:
        """Fits the classifiers and returns them."""
        mean = _means(train)
        for label, classifier in enumerate(self._classifiers):
            known = train.bag_weight[:, label].numpy() > 0
            classifier.fit(mean[known], train.bag[:, label].numpy()[known] >= 0.5)
        return self

    def predict(self, bags: Bags) -> Array:
        """Computes bag scores [n, 20]."""
        mean = _means(bags)
        columns = [classifier.predict_proba(mean)[:, -1] for classifier in self._classifiers]
        return np.stack(columns, 1).astype(np.float32)

    @property
    def n_parameters(self) -> int:
        """Number of coefficients, or of nodes of the trees."""
        total = 0
        for classifier in self._classifiers:
            if isinstance(classifier, RandomForestClassifier):
                total += sum(tree.tree_.node_count for tree in classifier.estimators_)
            else:
                model = classifier[-1]
                total += model.coef_.size + model.intercept_.size
        return total


def _means(bags: Bags) -> Array:
    means: Array = masked_mean(bags.embeddings, bags.mask()).numpy()
    return means
