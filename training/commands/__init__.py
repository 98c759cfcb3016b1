"""The commands ``mmgat-train`` and ``mmgat-train compact``."""
