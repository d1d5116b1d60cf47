"""Copies the environment into a dict."""

import os

SETTINGS = dict(os.environ)
