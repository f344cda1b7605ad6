"""What a program in the jail can see and do. Shell tools stand for a hostile clang."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox import jail
from app.sandbox.jail import JailLimits
from app.sandbox.process import Finished

pytestmark = pytest.mark.usefixtures("real_jail")

TOOLS = [Path("/usr/bin")]
FEW = JailLimits(cpu_seconds=1, wall_seconds=5.0, file_bytes=1 << 20, scratch_bytes=1 << 20)


def shell(script: str, *, limits: JailLimits = FEW, **inputs: bytes) -> Finished:
    argv = ["/usr/bin/bash", "-c", script]
    return jail.run(argv, inputs=inputs, readable=TOOLS, limits=limits)


def words(script: str, **inputs: bytes) -> list[str]:
    return shell(script, **inputs).stdout.decode().split()


def test_a_program_runs_and_answers_on_stdout():
    finished = shell("cat a; echo oops >&2; exit 3", a=b"hello")
    assert (finished.stdout, finished.stderr, finished.exit_status) == (b"hello", b"oops\n", 3)
    assert not finished.timed_out
    assert finished.signal == 0


def test_it_is_nobody_with_no_capability():
    assert words("id -u; id -g") == ["65534", "65534"]
    assert shell("chown 0 /tmp").exit_status != 0


def test_the_environment_is_ours(monkeypatch):
    monkeypatch.setenv("COREPLAY_SECRET", "hunter2")
    lines = shell("env").stdout.decode().splitlines()
    assert {line.split("=")[0] for line in lines} <= {*jail.ENVIRONMENT, "PWD", "SHLVL", "_"}
    assert "hunter2" not in "".join(lines)


def test_of_the_host_it_sees_libraries_only():
    assert set(words("ls -a /")) <= {".", "..", "bin", "etc", "lib", "lib64", "src", "tmp", "usr"}
    assert words("ls /etc") in (["ld.so.cache"], [])
    assert set(words("ls /usr")) <= {"bin", "lib", "lib64"}
    for folder in ("proc", "dev", "sys", "home", "root", "var", "run", "opt", "usr/local"):
        assert shell(f"ls /{folder}").exit_status != 0, folder


def test_no_descriptor_of_the_server_comes_along(tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    with (tmp_path / "secret").open() as secret:
        copy = os.dup2(secret.fileno(), 99, inheritable=True)
        try:
            finished = shell("cat <&99")
        finally:
            os.close(copy)
    assert b"hunter2" not in finished.stdout
    assert finished.exit_status != 0


def test_only_its_tmp_is_writable_and_that_is_small():
    assert shell("echo x > /tmp/x && cat /tmp/x").stdout == b"x\n"
    for place in ("/src/x", "/x", "/usr/x", "/usr/bin/x", "/usr/lib/x", "/etc/x"):
        assert shell(f"echo x > {place}").exit_status != 0, place
    fill = "for i in 1 2 3; do yes | head -c 900000 > /tmp/$i || exit 9; done"
    assert shell(fill).exit_status == 9


def test_inputs_are_files_of_its_folder():
    inputs = {"main.c": b"one", "lib/deep/x.h": b"two"}
    argv = ["/usr/bin/cat", "main.c", "lib/deep/x.h"]
    assert jail.run(argv, inputs=inputs, readable=TOOLS).stdout == b"onetwo"
    assert shell("echo x >> main", main=b"one").exit_status != 0


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a\0b"])
def test_inputs_cannot_leave_their_folder(name):
    with pytest.raises(AppError) as caught:
        jail.run(["/usr/bin/true"], inputs={name: b""})
    assert caught.value.code == "file-name-invalid"


def test_there_is_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        outside = subprocess.run(["bash", "-c", connect], check=False, timeout=5)
        assert outside.returncode == 0, "the script is right"
        assert shell(connect).exit_status != 0


def test_it_sees_no_process_of_the_host_and_cannot_signal_one():
    assert int(words("echo $$")[0]) < 10
    assert shell(f"kill -0 {os.getpid()}").exit_status != 0
    shell("kill -9 -1")
    assert shell("echo alive").stdout == b"alive\n"


def test_no_further_namespaces():
    assert shell("unshare --user --map-root-user true").exit_status != 0
    assert shell("unshare --net true").exit_status != 0


def test_processor_time_is_bounded():
    finished = shell("while :; do :; done")
    assert finished.signal in (signal.SIGXCPU, signal.SIGKILL)


def test_output_is_bounded():
    finished = shell("yes")
    assert finished.signal == signal.SIGXFSZ
    assert len(finished.stdout) == FEW.file_bytes
    limits = JailLimits(stderr_bytes=1000)
    assert len(shell("yes | head -c 100000 >&2", limits=limits).stderr) == 1000


def test_memory_is_bounded():
    limits = JailLimits(cpu_seconds=5, address_space=64 << 20)
    finished = shell("x=$(yes | head -c 200000000); echo ${#x}", limits=limits)
    assert finished.exit_status != 0
    assert b"cannot allocate" in finished.stderr.lower()


def test_processes_are_bounded():
    limits = JailLimits(processes=8, wall_seconds=3.0)
    finished = shell("for i in $(seq 20); do sleep 1 & done; wait", limits=limits)
    if os.geteuid() == 0 and not jail._prepare("auto")[1].drop_root:
        pytest.skip("the kernel does not count root's processes")
    assert b"fork" in finished.stderr


@pytest.mark.parametrize("script", ["sleep {0} & sleep {0} & wait", "setsid sleep {0} & sleep {0}"])
def test_at_the_deadline_the_whole_tree_is_killed(script, gone):
    finished = shell(script.format(gone.mark), limits=JailLimits(wall_seconds=0.5))
    assert finished.timed_out
    assert finished.milliseconds < 2500
    gone.check()


def test_what_it_leaves_behind_dies_with_it(gone):
    finished = shell(f"setsid sleep {gone.mark} & echo done")
    assert finished.stdout == b"done\n"
    gone.check()


def test_it_dies_with_the_worker(gone):
    code = (
        "from app.sandbox import jail; from pathlib import Path; "
        f"jail.run(['/usr/bin/sleep', '{gone.mark}'], readable=[Path('/usr/bin')])"
    )
    worker = subprocess.Popen([sys.executable, "-c", code])
    gone.wait_until_there()
    worker.kill()
    worker.wait()
    gone.check()


def test_no_zombie_is_left():
    shell("exit 0")
    shell("sleep 9", limits=JailLimits(wall_seconds=0.2))
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            assert (state, int(parent)) != ("Z", os.getpid())


def test_four_at_a_time():
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda n: shell("cat a", a=str(n).encode() * 1000), range(16))
        assert [r.stdout for r in results] == [str(n).encode() * 1000 for n in range(16)]
