"""The one exception family of this package."""

from __future__ import annotations


class ModelError(Exception):
    """A user-facing fault of a model or its files: what was expected, what was found, what to do."""


class CheckpointError(ModelError):
    """A checkpoint that is missing, damaged, foreign, or does not fit what it is used with."""


class WeightsError(ModelError):
    """Published weights that are absent, incomplete or not the published ones."""


class ComputeError(ModelError):
    """A compute device that was asked for and is not there."""


class ClusterError(ModelError):
    """A cluster, or a place of files, that cannot be used."""
