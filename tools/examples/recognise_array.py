"""Recognises an array of samples, here two seconds of a tone.

python tools/examples/recognise_array.py
"""

import numpy as np

from mmgat.stream import Block, Estimate, Pipeline, StreamSettings, load_recognizer

RATE_HZ = 44_100

t = np.arange(2 * RATE_HZ) / RATE_HZ
tone = 0.2 * np.sin(2 * np.pi * 440 * t)
samples = tone.astype(np.float32)[:, None]  # [frames, channels], full scale is 1

settings = StreamSettings(hop_s=0.5)
pipeline = Pipeline(load_recognizer(settings=settings), "tone", RATE_HZ, settings)
for message in pipeline.process(Block(0, samples, 0.0)) + pipeline.finish():
    if isinstance(message, Estimate):
        label = max(message.scores, key=message.scores.__getitem__)
        print(f"{message.t0:.1f} to {message.t1:.1f} s: {label} {message.scores[label]:.2f}")
