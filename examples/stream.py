#!/usr/bin/env python3
"""Reads gaze records from OpenStream, the fast way. Usage: stream.py [HOW MANY]"""
import socket
import struct
import sys

from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection

RECORD = struct.Struct("<B3xI4Q10d")

manager = DBusAddress("/org/gazed/Gaze1", bus_name="org.gazed.Gaze1", interface="org.gazed.Gaze1.Manager")
with open_dbus_connection(bus="SESSION", enable_fds=True) as bus:
    options = {"app-name": ("s", "stream.py"), "signals": ("b", False)}
    path = bus.send_and_get_reply(new_method_call(manager, "CreateSession", "a{sv}", (options,))).body[0]
    session = DBusAddress(path, bus_name="org.gazed.Gaze1", interface="org.gazed.Gaze1.Session")
    stream = bus.send_and_get_reply(new_method_call(session, "OpenStream")).body[0].to_socket()
    stream.setblocking(True)
    bus.send_and_get_reply(new_method_call(session, "Start"))
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100):
        version, flags, sequence, captured, published, target, x, y, *_ = RECORD.unpack_from(stream.recv(1024))
        print(version, sequence, f"{x:.3f} {y:.3f}" if flags & 1 else "nobody in sight", flush=True)
