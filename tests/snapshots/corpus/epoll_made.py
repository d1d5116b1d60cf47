"""Makes an epoll object."""

import select

POLL = select.epoll()
