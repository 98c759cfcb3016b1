"""The bridge to Prometheus, and its metrics."""
