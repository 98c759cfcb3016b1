"""The terminal dashboard: a pure subscriber, which never delays the engine."""
