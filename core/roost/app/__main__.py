"""``python -m roost.app``: see `roost.app.launch`."""

import sys

from roost.app.launch import main

if __name__ == "__main__":
    sys.exit(main())
