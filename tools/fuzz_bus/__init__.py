"""Peers that no library would make, and what becomes of those who hear them."""
