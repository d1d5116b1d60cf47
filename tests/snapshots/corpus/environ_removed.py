"""Removes a variable."""

import os

os.environ.pop("APP_COLOR", None)
