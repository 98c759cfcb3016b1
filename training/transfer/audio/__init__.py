"""Sound to train on: parts are made and packed once, then mixed and augmented on any device (ours)."""
