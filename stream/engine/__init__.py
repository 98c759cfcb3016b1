"""The threads and queues between capture and results; every sample is accounted for."""
