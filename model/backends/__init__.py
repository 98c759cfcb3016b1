"""Where a model computes: ONNX Runtime, or torch."""
