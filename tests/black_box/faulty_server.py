"""An HTTP vendor that breaks as it is told: ``faulty_server.py MODE``, prints its port.

The same numbers, templates and scores as ``faulty_vendor.py``. Standard library only.
"""

import base64
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = sys.argv[1]
LOCK = threading.Lock()
STATE = {"calls": 0, "together": 0, "most": 0, "too_early": 0, "not_before": 0.0}
RANDOM = random.Random(7)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        """Nothing on stderr."""

    def do_GET(self):
        """info, and the counters for the tests."""
        if self.path == "/counters":
            self._answer(200, STATE)
        else:
            stated = [{"fmr": 0.1, "score": -5}]
            self._answer(200, {"name": "faulty", "version": "1", "thresholds": stated})

    def do_POST(self):
        """enrol and compare."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            STATE["calls"] += 1
            STATE["together"] += 1
            STATE["most"] = max(STATE["most"], STATE["together"])
            early = time.monotonic() < STATE["not_before"]
            STATE["too_early"] += early
            dice, tenth = RANDOM.random(), STATE["calls"] % 10 == 0
        try:
            self._post(body, dice, tenth)
        finally:
            with LOCK:
                STATE["together"] -= 1

    def _post(self, body, dice, tenth):
        if MODE == "slow":
            time.sleep(0.1)
        if MODE == "busy" and tenth:
            with LOCK:
                STATE["not_before"] = time.monotonic() + 0.2
            self._answer(503 if dice < 0.5 else 429, {}, {"Retry-After": "0.25"})
        elif MODE == "drops" and dice < 0.1:
            self.close_connection = True
        elif MODE == "errors" and dice < 0.1:
            self._answer(500, {"detail": "oops"})
        elif self.path == "/enrol":
            text = base64.b64decode(body["image"])
            if b"666" in text and MODE == "hang":
                time.sleep(30)
            if text == b"no face":
                self._answer(200, {"failure": "no face found"})
            else:
                self._answer(200, {"template": base64.b64encode(text).decode()})
        else:
            probe, *others = (
                [int(cell) for cell in base64.b64decode(each).split()]
                for each in (body["probe"], *body["references"])
            )
            scores = [-float(abs(probe[0] - a) + abs(probe[1] - b)) for a, b in others]
            if MODE == "nan":
                scores[0] = float("nan")
            self._answer(200, {"scores": scores[1:] if MODE == "short" else scores})

    def _answer(self, status, content, headers=()):
        data = b"\xff\x00 no" if MODE == "garbage" and self.path == "/compare" else b""
        data = data or json.dumps(content).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
