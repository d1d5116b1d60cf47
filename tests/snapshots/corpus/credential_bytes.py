"""Keeps a credential as bytes."""

import os

KEY = os.environb.get(b"API_KEY")
