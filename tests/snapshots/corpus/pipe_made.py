"""Makes a pipe to wake itself up."""

import os

READ_END, WRITE_END = os.pipe()
