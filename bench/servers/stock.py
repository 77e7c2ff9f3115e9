"""The chat's two events on Flask-SocketIO as it comes: what docs/wire.md says of them."""

import itertools
import time

from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent")
names = {}  # by sid
numbers = itertools.count(1)


@socketio.on("connect")
def connect():
    join_room("lobby")


@socketio.on("setUsername")
def set_username(name):
    if name.lower() in map(str.lower, names.values()):
        message = f"{name} username is taken! Try some other username."
        emit("userExists", message)
        return {"ok": False, "code": "name_taken", "message": message}
    names[request.sid] = name
    emit("userSet", name)
    return {"ok": True, "user": name}


@socketio.on("msg")
def msg(said):
    where = {"room": "lobby", "id": next(numbers), "at": int(time.time() * 1000)}
    emit("newmsg", ({"user": names[request.sid], "message": said["message"]}, where), to="lobby")
    return {"ok": True} | where


@socketio.on("disconnect")
def disconnect():
    names.pop(request.sid, None)
