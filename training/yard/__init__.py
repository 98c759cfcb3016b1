"""The yard: ten-second clips with exact labels on which all systems are compared."""
