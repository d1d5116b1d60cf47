"""Keeps a log file open."""

import os

LOG = open(os.devnull, "a", encoding="utf-8")  # noqa: SIM115
