"""Sets a variable below os.environ."""

import os

os.putenv("APP_MODE", "quiet")
