"""Imports the modules that its arguments name, as an app imports its own."""

import importlib
import sys

for _name in sys.argv[1:]:
    importlib.import_module(_name)
