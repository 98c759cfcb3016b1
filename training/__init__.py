"""Offline: data sets, mixtures, teachers, losses, fitting, evaluation and export of checkpoints."""

import mmgat.model  # noqa: F401  (it keeps ONNX Runtime from talking to anyone, before its import)
