"""Reads a credential when it is asked to."""

import os


def key() -> str:
    return os.environ["API_KEY"]
