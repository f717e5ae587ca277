"""Addresses of this machine where the server of the page listens."""

import socket
from ipaddress import ip_address

NO_HOST = (
    "is no IP address; give one of this machine, like 192.168.1.5, or 0.0.0.0 for all"
)


def is_host(text: str) -> bool:
    """Whether a text is an address that a browser can name, too."""
    try:
        # A browser cannot say which interface is meant, as in fe80::1%eth0.
        ip_address(text.replace("%", " "))
    except ValueError:
        return False
    return True


def own_address(host: str) -> str:
    """The address of this machine in its network, in the family of another address.

    Raises:
        OSError: it is in none.
    """
    # Nothing is sent: the system only chooses the address that it would send from.
    family, elsewhere = socket.AF_INET, "203.0.113.1"
    if ":" in host:
        family, elsewhere = socket.AF_INET6, "2001:db8::1"
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect((elsewhere, 9))
        return one.getsockname()[0]


def in_address(host: str) -> str:
    """A host as it stands in an address of a page."""
    return f"[{host}]" if ":" in host else host
