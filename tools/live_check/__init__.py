"""The live path through a real audio server, and the account of it; see ``__main__.py``."""
