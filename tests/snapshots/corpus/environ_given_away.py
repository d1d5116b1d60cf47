"""Runs a program, which sees the whole environment."""

import subprocess

SUCCEEDED = subprocess.run(["true"], check=False).returncode == 0
