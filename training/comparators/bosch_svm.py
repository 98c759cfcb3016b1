"""SVM: Bosch, Janer, Fuhrmann, Herrera, "A Comparison of Sound Segregation Techniques for Predominant
Instrument Recognition in Musical Audio Signals", ISMIR 2012.

Known: handcrafted frame features, mean and variance, a support vector machine with polynomial
kernel; the panorama split into left, right, middle and side. Our reconstruction: 41 features, their
mean, deviation and differences, of the middle and the side: 328 numbers a clip; standardised; for
each label an ``SVC`` of degree 4 on the clips whose label is known. Its score is the sigmoid of the
decision function, so that 0.5 is the border. The source separation (FASST) that gave most in the
paper is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from scipy.special import expit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.networks import masked_mean
from mmgat.training.data.bags import Bags
from mmgat.training.metrics import Array

DEGREE: Final = 4
NEVER: Final = 1e-3
"""Score of a label without both positives and negatives in training."""


def make_classifier() -> Any:
    """Builds the classifier of one label."""
    return make_pipeline(
        StandardScaler(),
        SVC(kernel="poly", degree=DEGREE, coef0=1.0, class_weight="balanced", cache_size=500),
    )


class BoschSVM:
    """One classifier a label; see the module.

    Args:
        classifier: makes one.
    """

    def __init__(self, classifier: Callable[[], Any] = make_classifier) -> None:
        self._classifier = classifier
        self.fitted: list[Any | None] = []

    def fit(self, train: Bags) -> BoschSVM:
        """Fits a classifier to each label's known clips, and returns itself."""
        features = features_of(train)
        self.fitted = []
        for label in range(N_LABELS):
            known = train.bag_weight[:, label].numpy() > 0
            positive = train.bag[:, label].numpy()[known] >= 0.5
            if positive.all() or not positive.any():
                self.fitted.append(None)
                continue
            self.fitted.append(self._classifier().fit(features[known], positive))
        return self

    def predict(self, bags: Bags) -> Array:
        """Computes bag scores [n, 20]."""
        features = features_of(bags)
        columns = [
            np.full(len(features), NEVER) if model is None
            else expit(model.decision_function(features))
            for model in self.fitted
        ]  # fmt: skip
        return np.stack(columns, axis=1).astype(np.float32)

    @property
    def n_parameters(self) -> int:
        """Numbers in the support vectors and their weights."""
        return sum(
            model[-1].support_vectors_.size + model[-1].dual_coef_.size
            for model in self.fitted
            if model is not None
        )


def features_of(bags: Bags) -> Array:
    """The mean window [n, D] of every bag, float64."""
    means: Array = masked_mean(bags.embeddings.double(), bags.mask()).numpy()
    return means
