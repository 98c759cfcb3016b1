"""Offline: data sets, mixtures, teachers, losses, fitting, evaluation and export of checkpoints."""
