"""Checkpoints for use: cards, ONNX graphs, 8 bits."""
