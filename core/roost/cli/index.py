"""All verbs: what each does in one line, and the module that has it."""

from __future__ import annotations

VERBS = {
    "ps": ("ps", "list bundles"),
    "logs": ("logs", "show or follow a bundle's log"),
    "show": ("show", "everything about one bundle"),
    "why": ("why", "why a bundle is down, and what to do about it"),
    "add": ("add", "install a bundle"),
    "import": ("import_", "install what MCP clients of this machine are configured with"),
    "versions": ("versions", "the versions of a bundle that are kept"),
    "upgrade": ("versions", "install another version of a bundle and respawn into it"),
    "rollback": ("versions", "return to a version that is kept"),
    "pin": ("versions", "replace npx or uvx by an installed, pinned copy"),
    "remove": ("remove", "stop a bundle and take it out"),
    "set": ("set", "change the settings of an installed bundle"),
    "start": ("slots", "start a bundle and wait until it is ready"),
    "stop": ("slots", "stop a bundle and wait until its processes are gone"),
    "respawn": ("slots", "replace a bundle's process by a new generation"),
    "credentials": ("credentials", "show, set, clear or restore a bundle's credentials"),
    "tools": ("tools", "list the tools of a bundle"),
    "call": ("call", "call a tool, as a run"),
    "runs": ("runs", "list runs, newest first"),
    "exec": ("exec_", "run a command, as a run"),
    "run show": ("run", "a run with its input, events and result"),
    "run follow": ("run", "follow a run until it has settled"),
    "run stop": ("run", "stop runs and wait until they have settled"),
    "run retry": ("run", "begin a settled run anew"),
    "run replace": ("run", "stop the active run of a scope and wait until it has settled"),
    "workspace list": ("workspaces", "list workspaces"),
    "workspace create": ("workspaces", "create a workspace"),
    "status": ("status", "the daemon and what it looks after"),
    "doctor": ("doctor", "check what Roost stands on, and say how to mend it"),
    "vault show": ("vault", "where the key of the credentials is kept"),
    "vault rotate": ("vault", "seal every credential with a new key"),
    "down": ("down", "stop the daemon and its bundles"),
    "serve": ("serve", "run the daemon in the foreground"),
    "demo": ("", "try Roost on throw-away apps"),
}
"""Words of the verb: its module in `roost.cli`, and its line in the help.

The demo is a program of its own and reads its arguments itself.
"""
