"""Packets of Engine.IO 4, decoded strictly and within bounds; JSON for both protocols.

A malformed packet raises MalformedPacket, and its session ends (the reference's "parse error").
"""

from __future__ import annotations

import binascii
import json
from typing import Any

import msgspec
from engineio import packet as engineio_packet

from chatapp.transport.errors import MalformedPacket

_TYPES = {str(number): number for number in range(len(engineio_packet.packet_names))}


def decode_engineio(message: str | bytes) -> tuple[int, Any]:
    """Return the type and data of an Engine.IO packet (protocol 4, "Encoding").

    Raises:
        MalformedPacket: it is empty, of an unknown type, nested too deep, or not valid base64.
    """
    if isinstance(message, str) and message[:1] in _TYPES and message[1:2].isdigit():
        return _TYPES[message[0]], message[1:]  # no JSON: each packet of Socket.IO begins so
    if not message or (isinstance(message, str) and message[0] not in "0123456b"):
        raise MalformedPacket("no Engine.IO packet")
    if isinstance(message, bytes) or message[0] != "b":
        try:
            packet = engineio_packet.Packet(encoded_packet=message)
        except RecursionError:  # python-engineio decodes JSON
            raise MalformedPacket("no Engine.IO packet") from None
        return packet.packet_type, packet.data
    try:
        return engineio_packet.MESSAGE, binascii.a2b_base64(message[1:], strict_mode=True)
    except ValueError:
        raise MalformedPacket("no base64") from None


class JSON:
    """JSON with python-socketio's interface, by msgspec, which is faster and keeps UTF-8."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return msgspec.json.encode(value).decode()

    @staticmethod
    def loads(text: str) -> Any:
        """Return the value of `text`.

        Raises:
            MalformedPacket: it is not JSON (RFC 8259, which allows unpaired surrogates in escapes).
        """
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            pass
        try:
            return _lenient.decode(text)
        except (ValueError, RecursionError):
            raise MalformedPacket("no JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _number(digits: str) -> int | float:
    """Return an integer, or a float if it is huge, as Python limits the digits of an int."""
    return int(digits) if len(digits) < 1000 else float(digits)


_lenient = json.JSONDecoder(parse_constant=_no_constant, parse_int=_number)
