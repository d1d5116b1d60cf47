"""Starts a program that stays."""

import subprocess

HELPER = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
