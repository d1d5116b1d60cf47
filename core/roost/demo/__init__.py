"""The demo: two workspaces of real apps on a throw-away daemon, and a tour that checks itself."""
