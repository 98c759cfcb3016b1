"""The one exception family of training."""


class TrainingDataError(Exception):
    """A data folder, table or setting that is not what training expects: what was found, what to do."""
