"""Reads a credential by a function that another module has."""

from os import getenv as setting

KEYS = [setting(name) for name in ("API_KEY",)]
