"""What is learned and how it is computed: log-mel, embedders, instance graph, MMGAT, checkpoints.

Nothing here knows of audio devices, sockets or training data.
"""

import os

# ONNX Runtime would write a device's number and a database, and look up a host, when it is imported:
# a program that hears a microphone talks to nobody. Whoever wants that sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
