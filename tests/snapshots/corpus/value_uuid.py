"""Makes an id for the process."""

import uuid

INSTANCE_ID = uuid.uuid4()
