"""Which parts of a definition make one process differ from another."""

from __future__ import annotations

import hashlib
import json

from roost.models import Definition
from roost.models.codec import to_builtins

_LAUNCH_PARTS = (
    "kind",
    "runtime",
    "version",
    "command",
    "args",
    "env",
    "root",
    "requirements",
    "python",
    "ready_path",
    "port",
    "url",
    "headers",
    "directory",
)


def config_hash(definition: Definition) -> str:
    """Return 12 hex digits that change whenever a start would differ, credentials aside.

    Settings such as time-outs are left out: they apply to a running process too. Its limits are
    fixed when it is spawned.
    """
    parts = {name: to_builtins(getattr(definition, name)) for name in _LAUNCH_PARTS}
    parts["limits"] = to_builtins(definition.settings.limits)
    parts["defaults"] = {field.key: to_builtins(field.default) for field in definition.fields}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
