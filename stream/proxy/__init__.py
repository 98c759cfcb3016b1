"""Several engines as one: ``mmgat-proxy``."""
