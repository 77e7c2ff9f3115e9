"""The two oldest events of docs/wire.md on Flask-SocketIO with default settings."""

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
def msg(content):
    meta = {"room": "lobby", "id": next(numbers), "at": int(time.time() * 1000)}
    emit("newmsg", ({"user": names[request.sid], "message": content["message"]}, meta), to="lobby")
    return {"ok": True} | meta


@socketio.on("disconnect")
def disconnect():
    names.pop(request.sid, None)
