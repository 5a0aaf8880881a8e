# SPDX-License-Identifier: Apache-2.0
"""New connections at a steady pace, and what became of them."""

import http.client
import threading
import time

ADDRESS = ("127.0.0.1", 3001)


class Load:
    """About `rate` connections a second, each with one request, until `stop`."""

    def __init__(self, rate=100, patience=60):
        self.rate, self.patience = rate, patience
        self.served = 0
        self.failures = []
        self.slowest = 0.0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._clients = []
        self._pacer = threading.Thread(target=self._pace)
        self._pacer.start()

    def _pace(self):
        due = time.monotonic()
        while not self._ending.is_set():
            client = threading.Thread(target=self._connect)
            client.start()
            self._clients.append(client)
            due += 1 / self.rate
            time.sleep(max(0, due - time.monotonic()))

    def _connect(self):
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection(*ADDRESS, timeout=self.patience)
            connection.request("GET", "/health", headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            problem = None if answer.status == 200 else f"status {answer.status}"
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        with self._lock:
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if problem is None:
                self.served += 1
            else:
                self.failures.append(problem)

    def stop(self):
        """Waits for the last answer and returns what happened, in words."""
        self._ending.set()
        self._pacer.join()
        for client in self._clients:
            client.join()
        return f"{self.served} served, {len(self.failures)} failed, slowest {self.slowest:.2f} s"
