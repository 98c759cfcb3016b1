"""Where sound comes from: sources, the channels that are heard, resampling, windows."""
