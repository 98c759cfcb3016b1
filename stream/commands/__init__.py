"""The installed commands, a module each, and what they share."""
