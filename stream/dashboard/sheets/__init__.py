"""Sheets over the picture: help, palette, lists to choose from, a line to type."""
