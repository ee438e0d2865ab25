"""Starts Flower's own processes on this machine, a SuperLink and a SuperNode for each member, and runs the app until its rounds are done.

    python -m pip install "keras_snnkd[federated]"
    python examples/federated/run.py --out runs/federated members=4 rounds=10
    python examples/federated/run.py --out runs/fedavg exchange=weights members=4 rounds=10

Everything listens on 127.0.0.1 alone, without encryption. A run that was interrupted goes on with the same command; `--lose 2` ends the
SuperNode of member 2 after the first round, as a member that is lost.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).parent


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def federation(members: int, home: Path, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A SuperLink and its SuperNodes, whose processes end with the block; first that of the SuperLink."""
    link_port, *others = free_ports(1 + members)
    home.mkdir(parents=True, exist_ok=True)
    connection = f'[superlink]\ndefault = "loopback"\n\n[superlink.loopback]\naddress = "127.0.0.1:{link_port}"\ninsecure = true\n'
    (home / "config.toml").write_text(connection)
    path = os.pathsep.join(filter(None, [str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    environment = {**os.environ, "FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0", "PATH": path}
    link = [program("flower-superlink"), "--insecure", "--disable-runtime-dependency-installation", "--host", "127.0.0.1"]
    link += ["--port", str(link_port)]
    processes: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as output:
        try:
            processes.append(subprocess.Popen(link, env=environment, stdout=output, stderr=output, start_new_session=True))
            wait_for(link_port)
            for member in range(members):
                node = [
                    program("flower-supernode"), "--insecure", "--superlink", f"127.0.0.1:{link_port}", "--host", "127.0.0.1",
                    "--port", str(others[member]), "--node-config", f"member={member}",
                ]  # fmt: skip
                processes.append(subprocess.Popen(node, env=environment, stdout=output, stderr=output, start_new_session=True))
            yield processes
        finally:
            for process in reversed(processes):
                end(process)


def program(name: str) -> str:
    """One of Flower's programs, beside this Python or on the path."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise SystemExit(f'{name} is not installed; python -m pip install "keras_snnkd[federated]"')
    return found


def wait_for(port: int, seconds: float = 60) -> None:
    """Until somebody listens there."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"nobody listens on port {port} after {seconds:.0f} s; see the log")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def rounds_done(folder: Path) -> list[dict[str, object]]:
    """What the server has written so far."""
    file = folder / "rounds.json"
    return json.loads(file.read_text())["rounds"] if file.exists() else []


def main(arguments: list[str] | None = None) -> list[dict[str, object]]:
    """Run, print each round as it is done, and return them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/federated"))
    parser.add_argument("--lose", type=int, help="a member that is lost after the first round")
    parser.add_argument("--minutes", type=float, default=60, help="after which the run is given up")
    parser.add_argument("settings", nargs="*", help="key=value, of keras_snnkd.federated.Setting")
    given = parser.parse_args(arguments)
    settings = dict(part.partition("=")[::2] for part in given.settings)
    members, rounds = int(settings.get("members", 4)), int(settings.get("rounds", 10))
    folder = given.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {"folder": str(folder), **settings}
    told = " ".join(f"{key}={value if _is_number(value) else json.dumps(value)}" for key, value in numbers.items())
    log = folder / "flower.log"
    with federation(members, folder / "flower", log) as processes:
        environment = {**os.environ, "FLWR_HOME": str(folder / "flower"), "FLWR_TELEMETRY_ENABLED": "0"}
        subprocess.run([program("flwr"), "run", str(APP), "loopback", "--run-config", told], env=environment, check=True)
        last, shown = time.monotonic() + 60 * given.minutes, 0
        while len(done := rounds_done(folder)) < rounds and time.monotonic() < last and processes[0].poll() is None:
            for row in done[shown:]:
                print(row, flush=True)
            if given.lose is not None and shown == 0 and done:
                end(processes[1 + given.lose])
            shown = len(done)
            time.sleep(0.5)
        if len(done) < rounds:
            raise SystemExit(f"{len(done)} of {rounds} rounds are done; see {log}, and run the command again to go on")
        for row in done[shown:]:
            print(row, flush=True)
    return done


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main()
