"""Hours of audio with scripted faults through the real engine; see ``__main__.py``."""
