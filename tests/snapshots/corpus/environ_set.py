"""Sets a variable for libraries that are imported later."""

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
