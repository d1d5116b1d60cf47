"""Makes a credential the default of a class."""

import os


class Client:
    key = os.environ.get("API_KEY", "")
