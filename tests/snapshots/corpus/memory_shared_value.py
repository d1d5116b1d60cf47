"""Makes a value that multiprocessing keeps in shared memory."""

from multiprocessing.sharedctypes import RawValue

COUNTER = RawValue("i", 0)
