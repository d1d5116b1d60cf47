"""Reads a credential by the C library."""

import ctypes

_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_char_p
KEY = _libc.getenv(b"API_KEY")
