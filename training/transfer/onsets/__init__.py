"""Sound that begins after silence: what the trained model learns of its first two seconds.

The steps go on from a checkpoint: windows, then its embedder, then its MMGAT.
"""
