"""Prints the instruments that a running mmgat-stream names, on this machine or another.

python tools/examples/subscribe.py tcp://127.0.0.1:5550
"""

import sys

from mmgat.stream import Event, Hello, Status, Subscriber

address = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5550"
warnings: dict[str, str] = {}
with Subscriber(address) as subscriber:
    try:
        for message in subscriber:
            match message:
                case Hello():
                    names = ", ".join(source.name for source in message.sources)
                    print(f"model {message.model.name} listens to {names}", flush=True)
                case Event():
                    print(f"{message.time_s:8.1f} s  {message.label} {message.event}", flush=True)
                case Status() if message.message != warnings.get(message.source, ""):
                    warnings[message.source] = message.message
                    print(f"{message.source}: {message.message or 'fine again'}", flush=True)
    except KeyboardInterrupt:
        print(f"{subscriber.losses.lost} messages lost")
