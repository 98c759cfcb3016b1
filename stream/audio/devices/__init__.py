"""Devices through PortAudio: which there are, what they record, what is lost, listening along."""
