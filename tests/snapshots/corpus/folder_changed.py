"""Changes the working directory."""

import os

os.chdir("/")
