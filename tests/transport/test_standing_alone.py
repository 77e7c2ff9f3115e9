"""The transport serves other applications, and a changed library fails a test."""

from __future__ import annotations

import inspect
import re
import threading
from importlib.metadata import requires, version

import engineio
import flask_socketio
import gevent
import geventwebsocket.websocket
import pytest
import socketio
from flask import Flask
from gevent import baseserver, pywsgi
from gevent.baseserver import BaseServer
from geventwebsocket.handler import WebSocketHandler
from gunicorn.arbiter import Arbiter
from gunicorn.http import wsgi
from gunicorn.workers.base import Worker
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventPyWSGIWorker, GeventWorker, PyWSGIHandler
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.sio.server import SocketIO

PINNED = [
    *["flask-socketio", "python-socketio", "python-engineio"],
    *["gevent", "gevent-websocket", "gunicorn"],
]


class Echo(flask_socketio.Namespace):
    def on_connect(self):
        flask_socketio.join_room("all")

    def on_echo(self, *arguments):
        flask_socketio.emit("echoed", arguments, to="all")
        return len(arguments)

    def on_disconnect(self, reason):
        self.emit("left", reason, room="all")


@pytest.fixture
def echo():
    app = Flask(__name__)
    socketio = SocketIO(app)
    socketio.on_namespace(Echo("/"))
    return lambda: socketio.test_client(app)


def test_echo_namespace_in_a_few_lines(echo):
    first, second = echo(), echo()
    assert first.emit("echo", "a", {"b": [1]}, callback=True) == 2
    for client in (first, second):
        assert client.get_received()[-1]["args"] == ["a", {"b": [1]}]
    first.disconnect()
    assert second.get_received()[-1]["name"] == "left"


def test_reserved_event_runs_no_handler(echo):
    first, second = echo(), echo()
    first.emit("disconnect", "x")
    first.emit("connect")
    assert second.get_received() == []
    assert first.emit("echo", "still here", callback=True) == 1


def test_decorated_handlers_work():
    app = Flask(__name__)
    socketio = SocketIO()

    @socketio.on("double")
    def double(number):
        return number * 2

    socketio.init_app(app)
    assert socketio.test_client(app).emit("double", 21, callback=True) == 42


@pytest.mark.parametrize("refused", [False, True])
def test_connect_handler_that_emits_works_with_the_test_client(refused):
    app = Flask(__name__)
    socketio = SocketIO(app)

    @socketio.on("connect")
    def connect():
        flask_socketio.emit("hello", 1)
        flask_socketio.join_room("all")
        flask_socketio.emit("hello", b"2", to="all")
        return not refused

    client = socketio.test_client(app)
    assert client.is_connected() is not refused
    heard = [event["args"] for event in client.queue]
    assert heard == ([] if refused else [[1], [b"2"]])


def test_engine_server_alone_speaks_protocol_4():
    server = EngineServer()
    heard: list = []
    server.on("connect", lambda sid, environ: heard.append("connect"))
    server.on("message", lambda sid, data: heard.append(data))
    server.on("disconnect", lambda sid, reason: heard.append(reason))
    app = engineio.WSGIApp(server)
    client = Flask(__name__)
    client.wsgi_app = app
    web = client.test_client()
    opening = web.get("/engine.io/?EIO=4&transport=polling").text
    (sid,) = re.findall(r'"sid":"([^"]+)"', opening)
    path = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
    assert web.post(path, data='4hello\x1e4{"a":1}\x1ebAAE=').text == "ok"
    server.send(sid, "to you")
    assert web.get(path).text == "4to you"
    assert web.post(path, data="1").text == "ok"
    assert heard == ["connect", "hello", {"a": 1}, b"\x00\x01", "transport close"]


def test_engine_server_alone_speaks_protocol_3():
    """Nothing of Socket.IO: no CONNECT is sent or expected."""
    server = EngineServer(allow_eio3=True)
    heard: list = []
    server.on("message", lambda sid, data: heard.append(data))
    client = Flask(__name__)
    client.wsgi_app = engineio.WSGIApp(server)
    web = client.test_client()
    path = "/engine.io/?EIO=3&transport=polling"
    length, _, opening = web.get(path).text.partition(":")
    assert int(length) == len(opening)
    (sid,) = re.findall(r'"sid":"([^"]+)"', opening)
    assert web.post(f"{path}&sid={sid}", data="3:40?6:4hello").text == "ok"
    assert heard == ["0?", "hello"]
    server.send(sid, '0{"sid":"x"}')
    assert web.get(f"{path}&sid={sid}").text == '13:40{"sid":"x"}'


def test_mode_is_threads_unless_gevent_has_patched_the_process():
    assert EngineServer().async_mode == "threading"


def test_refused_session_leaves_nothing_behind():
    server = EngineServer(ping_interval=0.05, ping_timeout=0.05)
    told: list = []
    server.on("connect", lambda sid, environ: False)
    server.on("disconnect", lambda sid, reason: told.append(sid))
    client = Flask(__name__)
    client.wsgi_app = engineio.WSGIApp(server)
    answer = client.test_client().get("/engine.io/?EIO=4&transport=polling")
    assert answer.status_code == 401
    over = threading.Event()
    server.runtime.clock.call_later(0.3, over.set)
    over.wait(5)
    assert (server.sockets, told, server.limiter.sessions) == ({}, [], 0)


@pytest.mark.parametrize("library", PINNED)
def test_library_is_pinned_to_the_minor_version_tested(library):
    (requirement,) = [
        line
        for line in requires("chatapp")
        if re.match(rf"{library}(\[\w+\])?\s*~=", line) and ";" not in line
    ]
    pinned = re.search(r"~=\s*(\d+\.\d+)", requirement)[1]
    assert version(library).startswith(pinned + ".") or version(library) == pinned


RELIED_ON = {
    engineio.Server: ["_trigger_event", "generate_id", "start_background_task", "create_event"],
    socketio.Server: [
        *["_engineio_server_class", "_handle_eio_connect", "_handle_eio_message"],
        *["_handle_event", "_handle_ack", "_handle_connect", "_handle_disconnect"],
        *["_handle_event_internal", "_send_packet", "_send_eio_packet"],
    ],
    flask_socketio.SocketIO: ["init_app", "on_namespace", "test_client"],
    flask_socketio: ["_SocketIOMiddleware"],
    socketio.packet.Packet: ["decode", "add_attachment", "encode"],
    socketio.manager.Manager: [
        *["get_namespaces", "get_participants", "sid_from_eio_sid", "eio_sid_from_sid"],
        *["is_sid_room", "get_rooms", "pre_connect", "is_pre_connected", "connect"],
        *["is_connected", "pre_disconnect", "basic_disconnect", "basic_enter_room"],
        *["basic_leave_room", "emit", "initialize", "disconnect", "_generate_ack_id"],
    ],
    engineio.payload.Payload: ["encode"],
    pywsgi.WSGIHandler: ["get_environ"],
    PyWSGIHandler: ["get_environ"],
    GeventPyWSGIWorker: ["server_class"],
    GeventWorker: ["server_class", "handle"],
    gevent.hub.Waiter: ["switch", "get", "greenlet"],
    gevent.hub.Hub: ["NOT_ERROR"],
    ThreadedWSGIServer: ["verify_request"],
    BaseServer: ["max_accept"],
    Arbiter: ["WORKER_BOOT_ERROR"],
    geventwebsocket.websocket.WebSocket: ["close"],
    type(gevent.get_hub().loop): ["io", "timer", "run_callback", "MINPRI"],
}


@pytest.mark.parametrize("owner", RELIED_ON, ids=lambda owner: owner.__name__)
def test_library_has_the_names_that_we_use(owner):
    missing = [name for name in RELIED_ON[owner] if not hasattr(owner, name)]
    assert missing == [], f"{owner} has changed; see what overrides or calls these"


def test_python_socketio_makes_the_attributes_that_we_use():
    """python-socketio keeps these for us, and reads the last one in our manager."""
    server = SocketIO(Flask(__name__)).server
    assert (server._binary_packet, server.environ, server.manager.callbacks) == ({}, {}, {})
    assert server.manager.server is server


READ_BY_NAME = [
    # Servers set these while they run: which method does, and by which line.
    (wsgi.default_environ, '"gunicorn.socket": sock'),
    (PyWSGIHandler.get_environ, "env['gunicorn.sock'] = self.socket"),
    (WSGIRequestHandler.make_environ, '"werkzeug.socket": self.connection'),
    (Worker.__init__, "self.sockets = "),
    (Worker.__init__, "self.alive = "),
    (Worker.load_wsgi, "self.wsgi = "),
    (WebSocketHandler.run_application, "self.server.pre_start_hook(self)"),
    (WebSocketHandler.upgrade_connection, "'wsgi.websocket': self.websocket"),
    (WebSocketHandler.run_websocket, "if not self.websocket.closed"),
    (geventwebsocket.websocket.WebSocket.__init__, "self.handler = handler"),
    (geventwebsocket.websocket.WebSocket.__init__, "self.closed = False"),
    (pywsgi.WSGIHandler.__init__, "self.socket = sock"),
    (pywsgi.WSGIHandler.get_environ, "self.wsgi_input = Input("),
    (pywsgi.WSGIHandler.handle_one_response, "self.wsgi_input._discard()"),
    (GeventWorker.run, "hfun = partial(self.handle, s)"),
    (GeventWorker.run, "server = self.server_class("),
    (BaseServer._do_read, "for _ in xrange(self.max_accept):"),
    (BaseServer.do_handle, "spawn(_handle_and_close_when_done, handle, close, args)"),
    (baseserver._handle_and_close_when_done, "finally:\n        close(*args_tuple)"),
    # An answer's `close` may end the connection, if these except clauses get its exception.
    (AsyncWorker.handle_request, "respiter.close()\n            if resp.should_close()"),
    (AsyncWorker.handle_request, "except StopIteration:\n            raise"),
    (AsyncWorker.handle, 'except StopIteration as e:\n                self.log.debug("Closing'),
    # How pywsgi decides whether to read the rest of a body.
    (
        pywsgi.Input._discard,
        "if self.position < (self.content_length or 0) or self.chunked_input:",
    ),
    (pywsgi.WSGIHandler.start_response, "elif provided_connection == 'close'"),
]


@pytest.mark.parametrize(("maker", "what"), READ_BY_NAME, ids=[what for _, what in READ_BY_NAME])
def test_library_sets_the_attributes_that_we_read(maker, what):
    assert what in inspect.getsource(maker), f"{maker} has changed; see what reads that"


def test_overridden_methods_have_the_same_signatures():
    parameters = {
        method: list(inspect.signature(method).parameters)[1:]
        for method in (
            socketio.Server._handle_event_internal,
            socketio.Server._handle_eio_connect,
            socketio.Server._handle_eio_message,
            socketio.Server._handle_connect,
            socketio.manager.Manager.emit,
            engineio.Server.handle_request,
        )
    }
    assert list(parameters.values()) == [
        ["server", "sid", "eio_sid", "data", "namespace", "id"],
        ["eio_sid", "environ"],
        ["eio_sid", "data"],
        ["eio_sid", "namespace", "data"],
        ["event", "data", "namespace", "room", "skip_sid", "callback", "to", "kwargs"],
        ["environ", "start_response"],
    ]
