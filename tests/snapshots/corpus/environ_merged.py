"""Merges the environment with defaults."""

import os

SETTINGS = {"COLOR": "no"} | os.environ
