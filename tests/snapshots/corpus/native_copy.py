"""Keeps a credential in memory that Python knows nothing of."""

import ctypes

_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_void_p
_libc.strdup.argtypes = [ctypes.c_void_p]
_libc.strdup.restype = ctypes.c_void_p
KEY = _libc.strdup(_libc.getenv(b"API_KEY"))
