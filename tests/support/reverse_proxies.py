"""Debian's nginx, HAProxy and Caddy with the files of `deploy/`, on free ports.

Use them for tests of what a proxy changes. Each is stopped by its process id.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import requests
import socketio
import trustme

from support.raw import eventually
from support.servers import ROOT, Server, free_port

DEPLOY = ROOT / "deploy"
NODES = ("127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class ReverseProxy:
    """A proxy in front of `nodes`, at `port`, and with TLS at `tls_port`.

    `authority` is the file of the certificate authority. With `redirects`, requests without TLS are
    redirected to `https://`.
    """

    source: str
    """The file in `deploy/`."""
    command: Sequence[str]
    """The program and its arguments. `{file}` is its configuration."""

    def __init__(self, folder: Path, nodes: Sequence[Server], redirects: bool = False) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.authority = folder / "authority.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.certificate = folder / "site.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(self.certificate)
        text = self.configuration((DEPLOY / self.source).read_text(), folder, redirects)
        for number, address in enumerate(NODES):
            text = replace(text, {address: f"127.0.0.1:{nodes[number % len(nodes)].port}"})
        file = folder / self.source
        file.write_text(text)
        command = [word.format(file=file) for word in self.command]
        program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, f"the package {command[0]} is missing; install it"
        environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        self.log = folder / "output.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [program, *command[1:]],
                env=environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            eventually(self._is_up)
        except AssertionError:
            self.stop()
            raise

    def configuration(self, text: str, folder: Path, redirects: bool) -> str:
        """Return the text of the file in `deploy/` as a test needs it."""
        raise NotImplementedError

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            for port in (self.port, self.tls_port):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


class Nginx(ReverseProxy):
    """nginx. It also serves the chat below `/chat/`, with and without TLS."""

    source = "nginx.conf"
    command = ("nginx", "-c", "{file}", "-g", "daemon off;")

    def configuration(self, text: str, folder: Path, redirects: bool) -> str:
        text = uncommented(text, but="" if redirects else "return 308")
        below_path = section(text, "location /chat/ {")
        text = replace(text, {below_path: "", "location / {": f"{below_path}\nlocation / {{"})
        return replace(
            with_free_paths(text, folder),
            {
                "listen 80;": f"listen 127.0.0.1:{self.port};",
                "listen [::]:80;": "",
                "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls_port} ssl http2;",
                "listen [::]:443 ssl http2;": "",
                "/etc/letsencrypt/live/chat.example/fullchain.pem": str(self.certificate),
                "/etc/letsencrypt/live/chat.example/privkey.pem": str(self.certificate),
            },
        )


class HAProxy(ReverseProxy):
    source = "haproxy.cfg"
    command = ("haproxy", "-W", "-f", "{file}")

    def configuration(self, text: str, folder: Path, redirects: bool) -> str:
        return replace(
            uncommented(text, but="" if redirects else "http-request redirect"),
            {
                "maxconn 20000": "maxconn 2000",
                "log /dev/log local0": "log stdout format raw local0",
                "bind :::80 v4v6": f"bind 127.0.0.1:{self.port}",
                "bind :::443 v4v6": f"bind 127.0.0.1:{self.tls_port}",
                "/etc/haproxy/chat.example.pem": str(self.certificate),
            },
        )


class Caddy(ReverseProxy):
    """Caddy. In place of the certificate that it would fetch, it has one of the authority."""

    source = "Caddyfile"
    command = ("caddy", "run", "--config", "{file}", "--adapter", "caddyfile")

    def configuration(self, text: str, folder: Path, redirects: bool) -> str:
        text = replace(
            text, {"{\n\tservers": "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\tservers"}
        )
        first, _, rest = text.partition(":80 {\n")
        tls = f"tls {self.certificate} {self.certificate}"
        return f"{first}:{self.port} {{\n{rest}\n:{self.tls_port} {{\n\t{tls}\n{rest}"


def exchange_messages(proxy: ReverseProxy, is_tls: bool, prefix: str = "") -> None:
    """Load the page, and exchange messages between clients of all transports."""
    site = f"https://127.0.0.1:{proxy.tls_port}" if is_tls else f"http://127.0.0.1:{proxy.port}"
    web = requests.Session()
    web.trust_env, web.verify = False, str(proxy.authority)
    page = web.get(site + prefix + "/r/tea", timeout=10)
    assert page.status_code == 200
    assert f'data-socket-path="{prefix}/socket.io/"' in page.text
    handshake = f"{site}{prefix}/socket.io/?EIO=4&transport=polling"
    assert web.get(handshake, headers={"Origin": site}, timeout=10).status_code == 200
    people = {}
    for transports in (["websocket"], ["polling"], ["polling", "websocket"]):
        person = socketio.SimpleClient(http_session=web)
        person.connect(site, transports=transports, socketio_path=prefix + "/socket.io")
        assert person.transport == transports[-1]
        name = "By " + " then ".join(transports)
        assert person.call("setUsername", name)["ok"]
        people[name] = person
    for name, person in people.items():
        assert person.call("msg", {"message": "hi"})["ok"]
        for other in people.values():
            assert next_message(other) == (name, "hi")
    for person in people.values():
        person.disconnect()


def next_message(person: socketio.SimpleClient) -> tuple[str, str]:
    """Return the user and the text of the next message."""
    while True:
        event, *arguments = person.receive(timeout=10)
        if event == "newmsg":
            return arguments[0]["user"], arguments[0]["message"]


def with_free_paths(text: str, folder: Path) -> str:
    """Have a configuration of nginx write to `folder` only, as the user of the tests."""
    for name, value in {"pid": f"{folder}/nginx.pid", "error_log": f"{folder}/error.log"}.items():
        text, count = re.subn(rf"^{name} .*;", f"{name} {value};", text, flags=re.MULTILINE)
        assert count == 1, name
    text = re.sub(r"^user .*;\n", "", text, flags=re.MULTILINE)
    places = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    text = replace(text, {"http {\n": f"http {{\n{places}\n"})
    return f"user {getpass.getuser()};\n{text}"


def replace(text: str, changes: dict[str, str]) -> str:
    """Make changes to a file of `deploy/`. Each must be possible."""
    for old, new in changes.items():
        assert old in text, f"the configuration has no {old!r}"
        text = text.replace(old, new)
    return text


def section(text: str, first: str) -> str:
    """Return the block that begins with the line `first`."""
    begin = text.index(first)
    return text[begin : text.index("}", begin) + 1]


def uncommented(text: str, but: str = "") -> str:
    """Turn on the blocks that begin with `#` and no space, except lines beginning with `but`."""
    lines, column = [], -1
    for line in text.splitlines():
        match = re.fullmatch(r"( *)#(    .*|[^ #].*|)", line)
        if not match or (but and match[2].startswith(but)):
            column = -1
        elif match[2] and match[2][0] != " ":
            column = len(match[1])
        is_on = match and column == len(match[1])
        lines.append(f"{match[1]}{match[2]}" if is_on else line)
    return "\n".join(lines) + "\n"
