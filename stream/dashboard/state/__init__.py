"""What the dashboard knows, as frozen values and pure functions."""
