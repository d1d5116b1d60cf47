"""Copies the environment for programs that it starts later."""

import os

CHILD_ENVIRONMENT = os.environ.copy()
