"""Has the policy make and set the loop of the thread."""

import asyncio
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    LOOP = asyncio.get_event_loop_policy().get_event_loop()
