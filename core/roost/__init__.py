"""Roost: the terminal control plane for apps.

Importing this package loads the standard library only; everything heavier is behind its
subpackages.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
