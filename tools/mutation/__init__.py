"""Breaks one line at a time and asks whether a test notices; see ``__main__.py``."""
