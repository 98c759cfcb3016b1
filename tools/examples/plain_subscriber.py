"""Instruments as they begin and end, with nothing but pyzmq and msgpack.

python tools/examples/plain_subscriber.py tcp://127.0.0.1:5550
"""

import sys

import msgpack
import zmq

address = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5550"
with zmq.Context() as context, context.socket(zmq.SUB) as socket:
    socket.connect(address)
    socket.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/event/")
    last: dict[tuple[bytes, str], int] = {}
    try:
        while True:
            topic, payload = socket.recv_multipart()
            event = msgpack.unpackb(payload)
            key = topic, event["session"]
            if event["seq"] <= last.get(key, -1):
                continue  # sent again for a newcomer
            last[key] = event["seq"]
            print(f"{event['time_s']:8.2f} s  {event['label']} {event['event']}", flush=True)
    except KeyboardInterrupt:
        pass
