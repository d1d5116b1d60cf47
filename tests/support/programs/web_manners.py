"""A small web server whose manners its options choose; it listens on PORT or --port."""

import argparse
import os
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--status", type=int, default=200)
parser.add_argument("--path", help="every other path answers 404")
parser.add_argument("--unavailable", type=int, default=0, help="answer 503 this often first")
parser.add_argument("--mute", action="store_true", help="accept and never answer")
parser.add_argument("--die-when-asked", action="store_true")
parser.add_argument("--deaf", action="store_true", help="do not listen at all")
chosen = parser.parse_args()

if chosen.deaf:
    print("not listening", flush=True)
    time.sleep(1000)

family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
server = socket.socket(family)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((chosen.host, chosen.port))
server.listen()
print("listening", server.getsockname()[1], flush=True)

held = []
asked = 0
while True:
    client, _ = server.accept()
    held.append(client)
    head = b""
    while b"\r\n\r\n" not in head and (data := client.recv(4096)):
        head += data
    if chosen.die_when_asked:
        print("fatal: the database is gone", file=sys.stderr, flush=True)
        sys.exit(4)
    if chosen.mute or not head:
        continue
    asked += 1
    path = head.split()[1].decode()
    code = chosen.status if chosen.path in (None, path) else 404
    code = 503 if asked <= chosen.unavailable else code
    body = f"{os.getpid()} {chosen.port}\n".encode()
    client.sendall(
        b"HTTP/1.1 %d Any\r\nLocation: /\r\nContent-Length: %d\r\n\r\n" % (code, len(body))
    )
    client.sendall(body)
    held.pop().close()
