"""Echoes its input and, at its end, says `bye` on both streams and exits 3."""

import sys

print("ready", flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
print("bye", flush=True)
print("bye", file=sys.stderr, flush=True)
sys.exit(3)
