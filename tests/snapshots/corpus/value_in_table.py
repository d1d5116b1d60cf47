"""Makes a random number inside of a table."""

import random

LIMITS = {"retries": (3, random.random()), "name": "retry"}
