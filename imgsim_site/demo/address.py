"""Where the demo listens: is the port free, who can reach it, and does it answer."""

import ipaddress
import socket
import urllib.request

import psutil

ANSWER_SECONDS = 5
READY_PATH = "/readyz"


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen at `host` and `port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the web server does; else a port whose last connections are just closing looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def next_free(host: str, port: int) -> int:
    """Return the first free port above `port`, or `port` + 1 if none of the next hundred is."""
    return next((other for other in range(port + 1, min(port + 100, 65536)) if is_free(host, other)), port + 1)


def is_open_to_network(host: str) -> bool:
    """Return whether other machines reach a server that listens at `host`."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def own_names() -> list[str]:
    """Return the names and addresses of this machine, which a browser elsewhere may write into its address line."""
    addresses = [address for interface in psutil.net_if_addrs().values() for address in interface]
    inet = [address.address for address in addresses if address.family == socket.AF_INET]
    return [*inet, socket.gethostname(), f"{socket.gethostname()}.local"]


def url_of(host: str, port: int) -> str:
    """Return the address for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 -- to tell it apart
    return f"http://{shown}:{port}"


def is_ready(url: str) -> bool:
    """Return whether the site at `url` says that it is ready."""
    # Without a proxy: the address is this machine's own, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url + READY_PATH, timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, reset, timed out, or an HTTP error
        return False
