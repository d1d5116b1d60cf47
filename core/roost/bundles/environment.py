"""What of the daemon's environment the processes it starts may see."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
"""For a daemon that was itself started without a PATH."""

_ALLOWED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
        "XDG_RUNTIME_DIR",
        # Behind a company's certificate authority no server reaches the network without these.
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NIX_SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "AWS_CA_BUNDLE",
        "PIP_CERT",
        *(
            name
            for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY")
            for name in (proxy, proxy.lower())
        ),
    }
)

_PREPARE_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")

_REDIRECTING = frozenset(
    {
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_PYTHON",
        "PIP_REQUIRE_VIRTUALENV",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_WORKING_DIRECTORY",
    }
)
"""Would install somewhere else than into the private environment."""


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Reduce the daemon's environment to what every child may see."""
    allowed = {
        name: value for name, value in environ.items() if name in _ALLOWED or name.startswith("LC_")
    }
    return {"PATH": DEFAULT_PATH} | allowed


def prepare_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Reduce the daemon's environment to what installers need: also their own configuration."""
    installers = {
        name: value
        for name, value in environ.items()
        if name.startswith(_PREPARE_PREFIXES) and name not in _REDIRECTING
    }
    return base_environment(environ) | installers
