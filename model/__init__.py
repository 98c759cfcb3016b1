"""What is learned and how it is computed: log-mel, embedders, instance graph, MMGAT, checkpoints.

Nothing here knows of audio devices, sockets or training data.
"""
