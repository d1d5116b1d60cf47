"""Makes a token as the default of a class."""

import secrets


class Session:
    token = secrets.token_hex(8)
