"""Of a machine with a GPU: checks, equality with the CPU, the training of the default model."""
