"""Makes a context for TLS."""

import ssl

CONTEXT = ssl.create_default_context()
