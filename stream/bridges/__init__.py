"""Bridges: subscribers in processes of their own that carry messages to OSC, MIDI, MQTT and others."""
