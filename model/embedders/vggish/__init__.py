"""VGGish: the network in torch, its ONNX graph with 8-bit layers, and where that is kept."""
