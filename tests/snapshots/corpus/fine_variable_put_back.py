"""Sets variables for the time of an import, and puts them back."""

import importlib
import os

os.environ["APP_LOADING"] = "1"
os.putenv("APP_THREADS", "1")
try:
    importlib.import_module("colorsys")
finally:
    del os.environ["APP_LOADING"]
    os.unsetenv("APP_THREADS")
