#!/usr/bin/env python3
"""Prints gaze points from gazed, with jeepney (pip install jeepney, or python3-jeepney). Usage: watch.py [HOW MANY]"""
import sys

from jeepney import DBusAddress, MatchRule, new_method_call
from jeepney.io.blocking import open_dbus_connection

NAMES = ("sequence captured_ns published_ns target_ns gaze_x gaze_y forecast_x forecast_y error_radius confidence flags "
         "distance_mm head_yaw_deg head_pitch_deg head_roll_deg").split()
VALID = 1

manager = DBusAddress("/org/gazed/Gaze1", bus_name="org.gazed.Gaze1", interface="org.gazed.Gaze1.Manager")
with open_dbus_connection(bus="SESSION") as bus:
    options = {"app-name": ("s", "watch.py"), "lead-ms": ("d", 30.0)}
    path = bus.send_and_get_reply(new_method_call(manager, "CreateSession", "a{sv}", (options,))).body[0]
    session = DBusAddress(path, bus_name="org.gazed.Gaze1", interface="org.gazed.Gaze1.Session")
    # The samples come addressed to this program alone: no AddMatch is needed.
    with bus.filter(MatchRule(type="signal", path=path, member="Sample")) as samples:
        bus.send_and_get_reply(new_method_call(session, "Start"))
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100):
            record = dict(zip(NAMES, bus.recv_until_filtered(samples).body))
            if record["flags"] & VALID:
                print(f"{record['forecast_x']:.3f} {record['forecast_y']:.3f} +- {record['error_radius']:.3f}", flush=True)
            else:
                print("nobody in sight", flush=True)
