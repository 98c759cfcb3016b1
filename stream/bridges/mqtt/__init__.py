"""The MQTT bridge, and its topics, those of Home Assistant among them."""
