#!/usr/bin/python3
"""A libtorrent peer for tests: the independent client every interop claim is checked against.

  lt-peer.py make  --dir FOLDER|FILE --out F.torrent [--piece-length N] [--name NAME] [--web-seed URL]
  lt-peer.py seed  --torrent F --save DIR [options]
  lt-peer.py leech --torrent F|--magnet M --save DIR [options]
  lt-peer.py node  [options]                       (a DHT node without torrents)

options: --host ADDRESS (default 127.0.0.1)  --port N (default 0: any)  --peer HOST:PORT (again)
         --dht  --dht-node HOST:PORT (again)  --lsd  --up-limit BYTES/S  --down-limit BYTES/S
         --paused-data (seed mode without checking)  --sequential  --prefix BYTES (leech: only these)
         --deadline PIECE (leech: this piece first)

Every line on stdout is one JSON object with "event":
  listening {port, dht_port}  torrent {infohash, name, pieces, piece_length, total}  metadata {...}
  progress {progress, peers, down, up, done}  piece {piece, ms}  finished {ms}  error {message}
  put {target, stored}  got {target, value}  peers {infohash, peers}
Every line on stdin is one JSON object with "cmd":
  connect {host, port}  status {}  add_node {host, port}  put {value (text)}  get {target}
  get_mutable {key, salt (hex)}  get_peers {infohash}  announce {}  quit {}
Ends with stdin, so that it never outlives the test that started it.
"""
import argparse
import json
import os
import select
import sys
import time

import libtorrent as lt


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def make(args):
    files = lt.file_storage()
    lt.add_files(files, os.path.abspath(args.dir))
    if args.name:
        files.set_name(args.name)
    creator = lt.create_torrent(files, args.piece_length or 0, lt.create_torrent.v1_only)
    for url in args.web_seed:
        creator.add_url_seed(url)
    lt.set_piece_hashes(creator, os.path.dirname(os.path.abspath(args.dir)))
    entry = creator.generate()
    # The same folder gives the same file.
    entry.pop(b"creation date", None)
    with open(args.out, "wb") as out:
        out.write(lt.bencode(entry))
    info = lt.torrent_info(args.out)
    say("made", infohash=str(info.info_hash()), name=info.name(), pieces=info.num_pieces(),
        piece_length=info.piece_length(), total=info.total_size())


def open_session(args):
    categories = lt.alert.category_t
    settings = {
        "listen_interfaces": ("[%s]:%d" if ":" in args.host else "%s:%d") % (args.host, args.port),
        "enable_dht": args.dht,
        "enable_lsd": args.lsd,
        "enable_upnp": False,
        "enable_natpmp": False,
        # uTP would hide how TCP does; the box speaks TCP only.
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": categories.status_notification | categories.error_notification
        | categories.dht_notification | categories.dht_operation_notification
        | categories.connect_notification | categories.piece_progress_notification,
        "upload_rate_limit": args.up_limit,
        "download_rate_limit": args.down_limit,
        "peer_timeout": 60,
        "min_reconnect_time": 1,
        "ssrf_mitigation": False,
        "announce_to_all_trackers": True,
        # Many nodes of a test share one address or a few, which a public network would not allow.
        # A bootstrap node never enters libtorrent's routing table; `add_dht_node` below does both.
        "dht_bootstrap_nodes": "",
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_prefer_verified_node_ids": False,
        "dht_enforce_node_id": False,
        "dht_ignore_dark_internet": False,
        "dht_block_ratelimit": 100000,
    }
    session = lt.session(settings)
    # The rate limiter otherwise ignores peers of the own network.
    session.apply_settings({"rate_limit_ip_overhead": False})
    return session


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Peer:
    def __init__(self, args):
        self.args = args
        self.session = open_session(args)
        self.handle = None
        self.started = time.monotonic()
        self.finished = False
        self.nodes = 0
        self.buffer = b""
        for node in args.dht_node:
            self.session.add_dht_node(endpoint(node))

    def ms(self):
        return round((time.monotonic() - self.started) * 1000)

    def add(self):
        args = self.args
        if args.magnet:
            params = lt.parse_magnet_uri(args.magnet)
        else:
            params = lt.add_torrent_params()
            params.ti = lt.torrent_info(args.torrent)
        params.save_path = args.save
        flags = lt.torrent_flags
        params.flags &= ~(flags.paused | flags.auto_managed)
        if args.paused_data:
            params.flags |= flags.seed_mode
        if args.sequential:
            params.flags |= flags.sequential_download
        if not args.dht:
            params.flags |= flags.disable_dht
        self.handle = self.session.add_torrent(params)
        # Peers of the same address range count as local and escape the limits of the session.
        if args.up_limit:
            self.handle.set_upload_limit(args.up_limit)
        if args.down_limit:
            self.handle.set_download_limit(args.down_limit)
        for peer in args.peer:
            self.handle.connect_peer(endpoint(peer))
        if self.handle.status().has_metadata:
            self.describe("torrent")

    def describe(self, event):
        info = self.handle.torrent_file()
        say(event, infohash=str(self.handle.info_hash()), name=info.name(), pieces=info.num_pieces(),
            piece_length=info.piece_length(), total=info.total_size(), ms=self.ms())
        if self.args.deadline is not None:
            self.handle.set_piece_deadline(self.args.deadline, 0)
        if self.args.prefix is not None:
            wanted = -(-self.args.prefix // info.piece_length())
            self.handle.prioritize_pieces([4 if i < wanted else 0 for i in range(info.num_pieces())])

    def status(self):
        if not self.handle:
            return say("progress", progress=0, peers=0, down=0, up=0, done=0, dht=self.dht_nodes())
        status = self.handle.status()
        say("progress", progress=status.progress, peers=status.num_peers, down=status.download_rate,
            up=status.upload_rate, done=status.total_wanted_done, uploaded=status.all_time_upload,
            state=str(status.state), dht=self.dht_nodes())

    def dht_nodes(self):
        return self.nodes if self.args.dht else 0

    def on_alert(self, alert):
        kind = type(alert).__name__
        if kind == "metadata_received_alert":
            self.describe("metadata")
        elif kind == "piece_finished_alert":
            say("piece", piece=alert.piece_index, ms=self.ms())
        elif kind == "torrent_finished_alert":
            self.finished = True
            say("finished", ms=self.ms())
        elif kind == "dht_stats_alert":
            self.nodes = sum(bucket["num_nodes"] for bucket in alert.routing_table)
        elif kind == "dht_put_alert":
            say("put", target=str(alert.target), stored=alert.num_success)
        elif kind == "dht_immutable_item_alert":
            say("got", target=str(alert.target), value=repr(alert.item))
        elif kind == "dht_mutable_item_alert":
            say("got_mutable", key=bytes(alert.key).hex(), seq=alert.seq, value=repr(alert.item),
                authoritative=alert.authoritative)
        elif kind == "dht_get_peers_reply_alert":
            say("peers", infohash=str(alert.info_hash), peers=["%s:%d" % p for p in alert.peers()])
        elif kind in ("torrent_error_alert", "file_error_alert", "listen_failed_alert",
                      "metadata_failed_alert"):
            say("error", message=alert.message())

    def on_command(self, command):
        name = command.get("cmd")
        if name == "connect":
            self.handle.connect_peer((command["host"], command["port"]))
        elif name == "status":
            self.status()
        elif name == "add_node":
            self.session.add_dht_node((command["host"], command["port"]))
        elif name == "put":
            target = self.session.dht_put_immutable_item(command["value"])
            say("putting", target=str(target))
        elif name == "get":
            self.session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(command["target"])))
        elif name == "get_mutable":
            self.session.dht_get_mutable_item(bytes.fromhex(command["key"]),
                                              bytes.fromhex(command.get("salt", "")))
        elif name == "get_peers":
            self.session.dht_get_peers(lt.sha1_hash(bytes.fromhex(command["infohash"])))
        elif name == "announce":
            self.handle.force_dht_announce()
        elif name == "quit":
            return False
        else:
            say("error", message="unknown command %r" % name)
        return True

    def read_commands(self, seconds):
        if not select.select([sys.stdin], [], [], seconds)[0]:
            return True
        chunk = os.read(0, 65536)
        if not chunk:
            return False
        self.buffer += chunk
        *lines, self.buffer = self.buffer.split(b"\n")
        return all([self.on_command(json.loads(line)) for line in lines if line.strip()])

    def run(self):
        while self.session.listen_port() == 0 and self.ms() < 5000:
            time.sleep(0.02)
        # TCP and UDP share the number in libtorrent.
        say("listening", port=self.session.listen_port(), dht_port=self.session.listen_port())
        if self.args.mode != "node":
            self.add()
        last = 0.0
        counted = 0.0
        while self.read_commands(0.02):
            if self.args.dht and time.monotonic() - counted > 0.2:
                counted = time.monotonic()
                self.session.post_dht_stats()
            for alert in self.session.pop_alerts():
                self.on_alert(alert)
            if self.handle and time.monotonic() - last > 1:
                last = time.monotonic()
                self.status()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["make", "seed", "leech", "node"])
    parser.add_argument("--dir")
    parser.add_argument("--out")
    parser.add_argument("--name")
    parser.add_argument("--piece-length", type=int)
    parser.add_argument("--web-seed", action="append", default=[])
    parser.add_argument("--torrent")
    parser.add_argument("--magnet")
    parser.add_argument("--save")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--dht", action="store_true")
    parser.add_argument("--dht-node", action="append", default=[])
    parser.add_argument("--lsd", action="store_true")
    parser.add_argument("--up-limit", type=int, default=0)
    parser.add_argument("--down-limit", type=int, default=0)
    parser.add_argument("--paused-data", action="store_true")
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--prefix", type=int)
    parser.add_argument("--deadline", type=int)
    args = parser.parse_args()
    if args.mode == "make":
        make(args)
    else:
        Peer(args).run()


main()
