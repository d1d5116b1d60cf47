"""Warns on standard error."""

import warnings

warnings.warn("this module is old", stacklevel=1)
