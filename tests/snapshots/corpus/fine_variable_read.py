"""Reads a variable that is no credential; its value is compared at each start."""

import os

COLOR = os.environ.get("APP_COLOR", "auto")
