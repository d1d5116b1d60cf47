"""Goes through the environment for settings with a prefix."""

import os

SETTINGS = {name: value for name, value in os.environ.items() if name.startswith("APP_")}
