#!/usr/bin/python3
"""Puts torrents into a running deluged and says when all of them are complete.

  deluge-peer.py PORT USER PASSWORD FOLDER TORRENT|MAGNET...

Every line on stdout is one JSON object with "event": added {}, progress {torrents}, finished {}.
"""
import base64
import json
import os
import sys

from deluge.ui.client import client
from twisted.internet import reactor, task
from twisted.internet.defer import inlineCallbacks


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def fail(failure):
    say("error", message=str(failure))
    if reactor.running:
        reactor.stop()


@inlineCallbacks
def watch(count):
    status = yield client.core.get_torrents_status({}, ["state", "progress", "tracker_status"])
    say("progress", torrents=list(status.values()))
    if len(status) == count and all(one["state"] == "Seeding" for one in status.values()):
        say("finished")
        reactor.stop()


@inlineCallbacks
def main():
    port, user, password, folder, *torrents = sys.argv[1:]
    yield client.connect("127.0.0.1", int(port), user, password)
    options = {"download_location": folder, "add_paused": False}
    for torrent in torrents:
        if torrent.startswith("magnet:"):
            yield client.core.add_torrent_magnet(torrent, options)
        else:
            with open(torrent, "rb") as file:
                dump = base64.b64encode(file.read())
            yield client.core.add_torrent_file(os.path.basename(torrent), dump, options)
    say("added")
    loop = task.LoopingCall(lambda: watch(len(torrents)))
    loop.start(0.3).addErrback(fail)


reactor.callWhenRunning(lambda: main().addErrback(fail))
reactor.run()
