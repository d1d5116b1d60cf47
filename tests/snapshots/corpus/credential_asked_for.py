"""Decides by whether a credential is there."""

import os

IS_SIGNED_IN = "API_KEY" in os.environ
