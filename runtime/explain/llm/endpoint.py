"""Where a language model is, and that it is near: what leaves this machine must not leave the house."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_retrieve.runtime.errors import ConfigError, LanguageModelError

TIMEOUT_S = 120.0
CONTEXT_TOKENS = 8192


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server.

    Parameters
    ----------
    url : str
        Of the interface, up to and without ``/chat/completions``: ``http://127.0.0.1:8080/v1``.
    model : str
        As the server names it.
    timeout_s : float
        Seconds for the whole answer.
    context_tokens : int
        Tokens that prompt and answer may have together.
    allow_public : bool
        Talk to an address outside of private networks, too.

    Raises
    ------
    ConfigError
        Where the URL or a number is none that can be used.
    """

    url: str
    model: str
    timeout_s: float = TIMEOUT_S
    context_tokens: int = CONTEXT_TOKENS
    allow_public: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise ConfigError(
                f"'{self.url}' is no address of a language model",
                where="--llm",
                remedy="Give it as in http://127.0.0.1:8080/v1",
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError(
                "the address of a language model holds more than host, port and path",
                where="--llm",
                remedy="Give it as in http://127.0.0.1:8080/v1",
            )
        if not self.model.strip():
            raise ConfigError(
                "no model is named", where="--llm-model", remedy="Give the name that the server knows it by"
            )
        if not 0 < self.timeout_s <= 3600 or not 1024 <= self.context_tokens <= 1 << 20:
            raise ConfigError(
                "the time-out or the context is out of bounds",
                where="--llm",
                remedy="Give up to 3600 seconds, and 1024 tokens or more",
            )

    @property
    def host(self) -> str:
        """Name or address of the server."""
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        """TCP port."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def secure(self) -> bool:
        """Whether it is spoken to with TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def path(self) -> str:
        """Path of the chat interface."""
        return f"{urlsplit(self.url).path.rstrip('/')}/chat/completions"

    def address(self) -> str:
        """Return the IP address to connect to, which every look-up from now on must not change.

        Raises
        ------
        LanguageModelError
            Where the name is unknown.
        ConfigError
            Where any of its addresses is public and that is not allowed.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise LanguageModelError(
                f"the name '{self.host}' is not known ({error})",
                where="--llm",
                remedy="Give the address of a server on this network",
            ) from error
        addresses = [str(entry[4][0]) for entry in found]
        if not self.allow_public:
            for address in addresses:
                if not is_near(address):
                    raise ConfigError(
                        f"the language model at {address} is outside of this house",
                        where="--llm",
                        remedy="Run one on this network, or allow it with --llm-allow-public",
                    )
        return addresses[0]


def is_near(address: str) -> bool:
    """Return whether an IP address is this machine's own, link-local, or of a private network."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped is not None:
        number = number.ipv4_mapped
    return number.is_loopback or number.is_link_local or _is_private(number)


# `is_private` of the standard library also holds documentation and benchmark networks: these are nobody's.
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def _is_private(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(number.version == network.version and number in network for network in _PRIVATE)
