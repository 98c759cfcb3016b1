"""Metrics of a checkpoint or a run."""
