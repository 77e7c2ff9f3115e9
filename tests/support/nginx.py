"""Run nginx with deploy/nginx.conf on free ports.

Use it to test what a reverse proxy changes: addresses, TLS, path prefixes, restarts of nodes.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import trustme

from support.raw import eventually
from support.servers import ROOT, Server, free_port

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx:
    """An nginx in front of two nodes, at `port` and, with TLS, at `tls_port`.

    Both also serve the chat below `/chat/`. `authority` is the file of the certificate authority.
    With `redirects`, `port` redirects to `https://`.
    """

    def __init__(self, folder: Path, nodes: Sequence[Server], redirects: bool = False) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.authority = folder / "authority.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        text = uncomment(text, "location /chat/ {", "server {")
        if redirects:
            text = uncomment(text, "return 308 https://$host$request_uri;")
        chat = section(text, "location /chat/ {")
        places = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
        for old, new in {
            "user www-data;": f"user {getpass.getuser()};",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx/error.log": f"{folder}/error.log",
            "http {\n": f"http {{\n{places}\n",
            chat: "",
            "location / {": f"{chat}\nlocation / {{",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "listen [::]:80;": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls_port} ssl http2;",
            "listen [::]:443 ssl http2;": "",
            "/etc/letsencrypt/live/chat.example/fullchain.pem": f"{folder}/site.pem",
            "/etc/letsencrypt/live/chat.example/privkey.pem": f"{folder}/site.pem",
            "127.0.0.1:3001": f"127.0.0.1:{nodes[0].port}",
            "127.0.0.1:3002": f"127.0.0.1:{nodes[1].port}",
            "server 127.0.0.1:3003 max_fails=0;": "",
        }.items():
            assert old in text, f"deploy/nginx.conf has no {old!r}"
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [program, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        self.log = folder / "nginx.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        try:
            eventually(self._is_up)
        except AssertionError:
            self.stop()
            raise

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return (self.log.parent / "nginx.pid").exists()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


def section(text: str, first: str) -> str:
    """Return the block whose first line is `first`."""
    begin = text.index(first)
    return text[begin : text.index("}", begin) + 1]


def uncomment(text: str, *firsts: str) -> str:
    """Uncomment the blocks whose first lines are `firsts`; each must be in `text`."""
    marked = {line.strip().removeprefix("#").strip() for line in text.splitlines() if "#" in line}
    assert marked.issuperset(firsts), f"deploy/nginx.conf lacks {set(firsts) - marked}"
    lines, inside = [], False
    for line in text.splitlines():
        content = line.strip().removeprefix("#").strip()
        inside = inside or (line.strip().startswith("#") and content in firsts)
        if inside and not line.strip().startswith("#"):
            inside = False
        lines.append(content if inside else line)
    return "\n".join(lines) + "\n"
