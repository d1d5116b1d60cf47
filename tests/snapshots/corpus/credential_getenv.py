"""Keeps a credential by getenv."""

import os

KEY = os.getenv("API_KEY")
