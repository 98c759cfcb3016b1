"""Peers and messages that no library would make."""
