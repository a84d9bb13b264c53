"""`make demo`, run for real: what it says, that it is the only one, and that nothing is left when it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from imgsim_site import embedded
from imgsim_site.demo import address, steps
from imgsim_site.demo.claim import Child, Record, claim, end_children
from imgsim_site.demo.errors import DemoError
from tests.site.conftest import MakeFolder

PROJECT = Path(__file__).parents[2]
END_SECONDS = 60


class RunningDemo:
    """A demo in a session of its own, as a terminal starts it."""

    def __init__(self, var: Path, port: int) -> None:
        self.var = var
        self.url = f"http://127.0.0.1:{port}"
        self.output = (var.parent / f"demo-{port}.txt").open("w+")
        environment = {name: text for name, text in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.site.bare_demo", str(port)],
            cwd=PROJECT,
            env=environment | {"IMGSIM_VAR": str(var), "DJANGO_SETTINGS_MODULE": "imgsim_site.settings"},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def text(self) -> str:
        return Path(self.output.name).read_text()

    def wait_for(self, words: str, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.05)

    def end(self, send: Callable[[int, int], None], number: signal.Signals) -> int:
        send(self.process.pid, number)
        return self.process.wait(END_SECONDS)

    def record(self) -> Record:
        record = Record.read(self.var / "run" / "demo.json")
        assert record is not None
        return record


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def prepared(make_folder: MakeFolder) -> Path:
    """The `var` of a demo that was ready once and ended, to be copied: a first start takes ten seconds more."""
    demo = RunningDemo(make_folder() / "var", free_port())
    demo.wait_for("ImgSim is ready")
    assert demo.end(os.killpg, signal.SIGINT) == 0
    demo.output.close()
    return demo.var


@pytest.fixture
def start_demo(tmp_path: Path, prepared: Path) -> Iterator[Callable[..., RunningDemo]]:
    """Start demos on one `var`, for the first time or again; they end with the test whatever happened."""
    demos: list[RunningDemo] = []
    var = tmp_path / "var"

    def start(port: int, *, is_first: bool = False) -> RunningDemo:
        if not is_first and not var.exists():
            # With their owner: where root tests, Postgres' files are another's.
            subprocess.run(["cp", "-a", prepared, var], check=True)
        demos.append(RunningDemo(var, port))
        return demos[-1]

    yield start
    for demo in demos:
        demo.process.terminate()
        demo.process.wait(END_SECONDS)
        demo.output.close()
    end_children(filter(None, (Child.of(process.pid) for process in processes_of(tmp_path / "var"))))


def processes_of(var: Path) -> list[psutil.Process]:
    """Return every process that was started for `var`; children inherit the variable."""
    return [process for process in psutil.process_iter() if environment_of(process).get("IMGSIM_VAR") == str(var)]


def environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def test_it_says_each_step_and_ctrl_c_ends_every_process(start_demo: Callable[..., RunningDemo], port: int) -> None:
    demo = start_demo(port, is_first=True)
    demo.wait_for("ImgSim is ready")
    assert "✓ Starting Postgres and Redis" in demo.text
    assert "✓ Preparing the database" in demo.text
    assert f"{demo.url}/admin/" in demo.text
    assert "(shown only now)" in demo.text
    with urllib.request.urlopen(f"{demo.url}/healthz") as answer:
        assert json.load(answer) == {"alive": True}
    assert demo.end(os.killpg, signal.SIGINT) == 0
    assert "Traceback" not in demo.text
    assert processes_of(demo.var) == []


@pytest.mark.thorough
def test_sigterm_to_the_demo_alone_ends_every_process(start_demo: Callable[..., RunningDemo], port: int) -> None:
    demo = start_demo(port)
    demo.wait_for("ImgSim is ready")
    assert demo.end(os.kill, signal.SIGTERM) == 0
    assert processes_of(demo.var) == []


def test_ctrl_c_while_it_prepares_ends_it_without_a_traceback(
    start_demo: Callable[..., RunningDemo], port: int
) -> None:
    demo = start_demo(port, is_first=True)
    demo.wait_for("… Preparing the database")
    assert demo.end(os.killpg, signal.SIGINT) == 0
    assert "Traceback" not in demo.text
    assert processes_of(demo.var) == []


def test_ctrl_c_while_a_command_starts_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def start(*_: str) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return begun[0]

    monkeypatch.setattr(steps, "start_command", start)
    with pytest.raises(KeyboardInterrupt):
        steps.run_command("migrate")
    assert begun[0].poll() == -signal.SIGTERM


@pytest.mark.thorough
def test_a_second_one_says_what_runs_and_leaves_it_alone(start_demo: Callable[..., RunningDemo], port: int) -> None:
    first = start_demo(port)
    first.wait_for("ImgSim is ready")
    second = start_demo(port + 1)
    assert second.process.wait(END_SECONDS) == 1
    assert f"ImgSim runs already at {first.url} (pid {first.process.pid})" in second.text
    assert first.process.poll() is None


@pytest.mark.thorough
def test_it_starts_again_after_the_demo_was_killed_and_its_children_were_not(
    start_demo: Callable[..., RunningDemo], port: int
) -> None:
    killed = start_demo(port)
    killed.wait_for("ImgSim is ready")
    left_behind = killed.record().children
    killed.process.kill()
    killed.process.wait()
    again = start_demo(port)
    again.wait_for("ImgSim is ready")
    assert "the password of the first start" in again.text
    assert not any(psutil.pid_exists(child.pid) for child in left_behind)
    assert again.end(os.killpg, signal.SIGINT) == 0
    assert processes_of(again.var) == []


def test_it_starts_again_after_everything_was_killed(start_demo: Callable[..., RunningDemo], port: int) -> None:
    killed = start_demo(port)
    killed.wait_for("ImgSim is ready")
    for process in processes_of(killed.var):
        process.kill()
    killed.process.wait()
    again = start_demo(port)
    again.wait_for("ImgSim is ready")


def test_a_child_that_dies_ends_the_demo_with_a_reason(start_demo: Callable[..., RunningDemo], port: int) -> None:
    demo = start_demo(port)
    demo.wait_for("ImgSim is ready")
    os.kill(demo.record().children[1].pid, signal.SIGKILL)
    assert demo.process.wait(END_SECONDS) == 1
    assert "A process ended by itself (status -9)" in demo.text
    assert processes_of(demo.var) == []


def test_a_taken_port_is_said_before_any_work(start_demo: Callable[..., RunningDemo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = start_demo(port, is_first=True)
        assert demo.process.wait(END_SECONDS) == 1
    assert f"Port {port} is taken; try make demo PORT=" in demo.text
    assert "Postgres" not in demo.text
    assert embedded.status(demo.var).supervisor_pid is None


def test_photos_that_do_not_exist_are_refused_at_once() -> None:
    command = [sys.executable, "manage.py", "demo", "--photos", "/no/such/folder"]
    finished = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert "/no/such/folder does not exist" in finished.stderr


def test_a_claim_without_a_record_yet_says_that_one_starts(tmp_path: Path) -> None:
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "demo.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(DemoError, match="starting already"), claim(tmp_path, "http://127.0.0.1:1"):
            pytest.fail("the claim was given twice")
        other.communicate(b"\n")


def test_a_process_with_the_number_of_an_earlier_child_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    end_children([Child(pid=stranger.pid, created=time.time() - 3600)])
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("::1", False)]
)
def test_it_knows_whether_others_can_reach_it(host: str, expected: bool) -> None:
    assert address.is_open_to_network(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("box", "http://box:8000")],
)
def test_the_address_is_one_that_a_browser_takes(host: str, expected: str) -> None:
    assert address.url_of(host, 8000) == expected
