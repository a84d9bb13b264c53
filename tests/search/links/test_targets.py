"""Which links name a public server, and which are refused: none of them is followed, no name is looked up."""

import csv
import socket
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from search.links import targets
from search.links.addresses import is_public
from search.links.targets import LinkRefused, read, resolve

VECTORS = Path(__file__).parents[3].parent / "shared" / "corpus" / "ssrf_vectors.csv"


def judged(url: str) -> str:
    """Return the code of the refusal, or where a link leads; names lead to loopback unless a test says otherwise."""
    try:
        target = read(url)
        resolve(target, time.monotonic() + 1)
    except LinkRefused as refused:
        return refused.code
    return target.url


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses, in place of a resolver; what stands here not is this machine."""
    known: dict[str, list[str]] = {}
    monkeypatch.setattr(targets, "lookup", lambda host, port: [ip_address(a) for a in known.get(host, ["127.0.0.1"])])
    monkeypatch.setattr(socket.socket, "connect", _nothing_is_sent)
    return known


def _nothing_is_sent(*given: object) -> None:
    raise AssertionError(f"A connection was opened to {given}.")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("1.1.1.1", True),
        ("100.63.255.255", True),
        ("100.128.0.0", True),
        ("172.15.255.255", True),
        ("172.32.0.0", True),
        ("223.255.255.255", True),
        ("0.0.0.0", False),
        ("0.255.0.1", False),
        ("10.255.255.255", False),
        ("100.64.0.0", False),
        ("100.127.255.255", False),
        ("127.255.255.254", False),
        ("169.254.169.254", False),
        ("172.31.255.255", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("192.31.196.1", False),
        ("192.52.193.1", False),
        ("192.88.99.1", False),
        ("192.168.255.255", False),
        ("192.175.48.1", False),
        ("198.19.255.255", False),
        ("198.51.100.7", False),
        ("203.0.113.7", False),
        ("224.0.0.251", False),
        ("239.255.255.250", False),
        ("250.0.0.1", False),
        ("255.255.255.255", False),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("2a00:1450:4001:82a::200e", True),
        ("::", False),
        ("::1", False),
        ("::8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("::ffff:0:10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b:1::8.8.8.8", False),
        ("100::1", False),
        ("2001::1", False),
        ("2001:2::1", False),
        ("2001:10::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("2002:808:808::1", False),
        ("2620:4f:8000::1", False),
        ("2606:4700::5efe:192.168.0.1", False),
        ("2606:4700::200:5efe:192.168.0.1", False),
        ("2606:4700::5efe:8.8.8.8", True),
        ("3fff::1", False),
        ("4000::1", False),
        ("5f00::1", False),
        ("fc00::1", False),
        ("fdff::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("2606:4700::1%eth0", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("https://pictures.example/a.jpg", "https://pictures.example/a.jpg"),
        ("  HTTPS://Pictures.Example./a.jpg\n", "https://pictures.example/a.jpg"),
        ("http://pictures.example:80", "http://pictures.example/"),
        ("http://pictures.example:443/a", "http://pictures.example:443/a"),
        ("http://pictures.example?size=2", "http://pictures.example/?size=2"),
        ("http://pictures.example/a.jpg?x=1&y=%20#top", "http://pictures.example/a.jpg?x=1&y=%20"),
        ("http://pictures.example/Äpfel.jpg", "http://pictures.example/%C3%84pfel.jpg"),
        ("http://pictures.example/%0d%0aX:1", "http://pictures.example/%0d%0aX:1"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://93.184.216.34/a.png", "http://93.184.216.34/a.png"),
        ("http://[2606:4700::1111]:80/a.png", "http://[2606:4700::1111]/a.png"),
    ],
)
def test_links_to_public_servers_are_read(url: str, leads_to: str, names: dict[str, list[str]]) -> None:
    names |= {"pictures.example": ["93.184.216.34", "2606:4700::1111"], "xn--bcher-kva.example": ["1.1.1.1"]}
    assert judged(url) == leads_to


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "scheme"),
        ("pictures.example/a.jpg", "scheme"),
        ("//pictures.example/a.jpg", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("file:///etc/hostname", "scheme"),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", "scheme"),
        ("ws://pictures.example/", "scheme"),
        ("view-source:http://pictures.example/", "scheme"),
        ("http:pictures.example/a.jpg", "malformed"),
        ("http:/pictures.example/a.jpg", "malformed"),
        ("https://", "malformed"),
        ("https:///a.jpg", "malformed"),
        ("https://:443/a.jpg", "malformed"),
        ("http://pictures..example/", "malformed"),
        ("http://.example/", "malformed"),
        ("http://pictures.example../", "malformed"),
        ("http://pictures.example:port/", "malformed"),
        ("http://pictures.example:99999/", "malformed"),
        ("http://pictures.example/a b.jpg", "malformed"),
        ("http://pictures.example/a\tb.jpg", "malformed"),
        ("http://pictures.example\r\nHost: localhost/", "malformed"),
        ("http://pictures.example\x00.localhost/", "malformed"),
        ("http://pictures.example\u00a0/", "malformed"),
        ("http://pictures.example\\@localhost/", "malformed"),
        ("http://pictures.example/\ud800", "malformed"),
        ("http://\ud800.example/", "malformed"),
        ("http://pictures.example/" + "a" * 4100, "malformed"),
        ("http://%6c%6f%63%61%6c%68%6f%73%74.example/", "malformed"),
        ("http://" + "a" * 64 + ".example/", "malformed"),
        ("http://-pictures.example/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://[2606:4700::1111].localhost/", "malformed"),
        ("http://[v1.a]/", "malformed"),
        ("http://[127.0.0.1]/", "malformed"),
        ("http://[2606:4700::1111%25eth0]/", "address"),
        ("http://pictures.example:22/", "port"),
        ("http://pictures.example:0/", "port"),
        ("https://pictures.example:8443/", "port"),
        ("http://me@pictures.example/", "userinfo"),
        ("http://:secret@pictures.example/", "userinfo"),
        ("http://@pictures.example/", "userinfo"),
        ("http://93.184.216.34@localhost/", "userinfo"),
        ("http://localhost/", "address"),
        ("http://localhost./", "address"),
        ("http://redis/", "address"),
        ("http://loc\u00adalhost/", "address"),
        ("http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/", "address"),
        ("http://127.0.0.1./", "address"),
        ("http://1\uff127.0.0.1/", "address"),
        ("http://127\u30020\uff0e0\uff611/", "address"),
        ("http://0300.0250.0.1/", "address"),
        ("http://0xc0.0xa8.1/", "address"),
        ("http://192.168.257/", "address"),
        ("http://3232235777/", "address"),
        ("http://0x0a000001/", "address"),
        ("http://1572395042/", "address"),  # a public one in odd spelling
        ("http://0x/", "address"),
        ("http://1.2.3.4.5/", "address"),
        ("http://256.1.1.1/", "address"),
        ("http://pictures.0x7f/", "address"),
        ("http://metadata.internal/", "address"),
        ("http://127.0.0.1.pictures.example/", "address"),
    ],
)
def test_other_links_are_refused(url: str, code: str) -> None:
    assert judged(url) == code


@pytest.mark.parametrize(
    "found", [["93.184.216.34", "10.0.0.1"], ["2606:4700::1111", "::1"], ["64:ff9b::127.0.0.1"], ["fe80::1%2"]]
)
def test_one_address_that_is_not_public_refuses_a_name(found: list[str], names: dict[str, list[str]]) -> None:
    names["pictures.example"] = found
    assert judged("http://pictures.example/") == "address"


def test_the_reason_says_what_to_do_and_tells_no_address() -> None:
    with pytest.raises(LinkRefused) as caught:
        resolve(read("http://intranet.example/"), time.monotonic() + 1)
    assert str(caught.value) == (
        "This link leads into a private network, not to the public internet. Save the picture and upload it."
    )


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "lookup", _unknown)
    with pytest.raises(LinkRefused, match=r"There is no server called pictures.example, .* Look for a typing error"):
        resolve(read("http://pictures.example/"), time.monotonic() + 1)


def _unknown(host: str, port: int) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_resolver_that_takes_too_long_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "lookup", lambda host, port: time.sleep(0.5))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        resolve(read("http://pictures.example/"), started + 0.05)
    assert time.monotonic() - started < 0.4


def test_the_system_is_asked_once_for_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked = []

    def answer(*given: object, **options: object) -> list[tuple[object, ...]]:
        asked.append(given)
        return [(2, 1, 6, "", ("93.184.216.34", 80)), (10, 1, 6, "", ("2606:4700::1111", 80, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    found = resolve(read("http://pictures.example/"), time.monotonic() + 1)
    assert [str(address) for address in found] == ["93.184.216.34", "2606:4700::1111"]
    assert asked == [("pictures.example", 80)]


def _listed() -> list[str]:
    """Return the links of the optional list, less what is a story about a server: `test_fetching` plays those."""
    if not VECTORS.exists():
        return []
    with VECTORS.open(encoding="utf-8", newline="") as file:
        rows = [row["url_or_scenario"] for row in csv.DictReader(file) if row["expected"].startswith("block")]
    return [row for row in rows if not row.startswith(("REBIND:", "MULTI-A:"))]


@pytest.mark.skipif(not VECTORS.exists(), reason="no list of links beside the checkout")
@pytest.mark.parametrize("url", _listed() or [""])
def test_every_link_of_the_list_is_refused(url: str, names: dict[str, list[str]]) -> None:
    names["example.com"] = ["93.184.216.34"]
    assert judged(url) in {"scheme", "malformed", "port", "userinfo", "address"}
