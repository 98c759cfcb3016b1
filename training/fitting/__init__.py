"""Recipes, losses, the training loop, thresholds."""
