"""The MIDI bridge, and which notes and controllers stand for what."""
