"""Debian's Firefox, driven by its own protocol, Marionette, which needs no driver."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""


class Firefox:
    """A browser with one page, and a profile of its own.

    Args:
        program: the path of Firefox.
        profile: an empty folder.
    """

    def __init__(self, program: str, profile: Path) -> None:
        (profile / "user.js").write_text(PREFERENCES)
        command = [program, "--headless", "--marionette", "--no-remote"]
        self.process = subprocess.Popen(
            [*command, "--profile", str(profile)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Firefox writes here which port it took.
        place, end = profile / "MarionetteActivePort", time.monotonic() + 60
        while not place.exists() or not place.read_text():
            assert time.monotonic() < end, "Firefox does not start"
            time.sleep(0.1)
        address = "127.0.0.1", int(place.read_text())
        self.connection = socket.create_connection(address, timeout=60)
        self.received = self.connection.makefile("rb")
        self._read()  # who speaks
        self.asked = 0
        self.ask("WebDriver:NewSession")

    def _read(self) -> Any:
        size = b""
        while (digit := self.received.read(1)) != b":":
            size += digit
        return json.loads(self.received.read(int(size)))

    def ask(self, command: str, **parameters: object) -> Any:
        """The answer to a command; raises AssertionError where it fails."""
        self.asked += 1
        message = json.dumps([0, self.asked, command, parameters]).encode()
        self.connection.sendall(b"%d:%b" % (len(message), message))
        _, number, error, answer = self._read()
        assert number == self.asked and error is None, error
        return answer

    def go(self, address: str) -> None:
        """Open a page."""
        self.ask("WebDriver:Navigate", url=address)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.ask("WebDriver:ExecuteScript", script=f"return {script}")["value"]

    def wait_for(self, script: str) -> Any:
        """The value of an expression once it is true."""
        end = time.monotonic() + 60
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, script
            time.sleep(0.1)
        return value

    def end(self) -> None:
        """End the browser."""
        self.connection.close()
        self.process.terminate()
        self.process.wait(timeout=20)
