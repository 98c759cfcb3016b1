#!/bin/sh
# Instruments as they begin and end, as tab-separated lines: time, source, label, on or off.
#
#   tools/subscribers/events.sh tcp://127.0.0.1:5550
mmgat-listen --connect "${1:-tcp://127.0.0.1:5550}" --topic mmgat/v2/event/ |
    jq --unbuffered -r 'select(.type == "event") | [(.time | todate), .source, .label, .event] | @tsv'
