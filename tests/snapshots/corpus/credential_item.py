"""Keeps a credential by its name in the environment."""

import os

KEY = os.environ["API_KEY"]
