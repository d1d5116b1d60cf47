"""Keeps the very bytes that the interpreter made of the environment."""

import posix

KEY = posix.environ.get(b"API_KEY")
