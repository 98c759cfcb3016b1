"""Readers of published data sets: AudioSet, IRMAS, OpenMIC, and the paper's set of the last two."""
