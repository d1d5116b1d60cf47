"""Makes a name of the process id."""

import os

NAME = f"worker-{os.getpid()}"
