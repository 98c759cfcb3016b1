"""Clips with exact labels, made of recorded notes and rendered MIDI."""
