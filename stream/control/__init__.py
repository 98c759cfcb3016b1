"""Requests to a running engine: their types, the endpoint that takes them, and clients."""
