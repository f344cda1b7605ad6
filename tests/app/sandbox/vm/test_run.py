"""A program that is run in the guest: its files, its output, and every BPF_PROG_LOAD of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app.sandbox.vm.protocol import GuestCommand, GuestFile, GuestRequest
from tests.support.guests import SERIES

pytestmark = pytest.mark.vm

LOADER = r"""
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char log[4096];

static long load(const char *name, struct bpf_insn *insns, int count)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.prog_type = 1;
	attr.insns = (unsigned long)insns;
	attr.insn_cnt = count;
	attr.license = (unsigned long)"GPL";
	attr.log_level = 1;
	attr.log_buf = (unsigned long)log;
	attr.log_size = sizeof log;
	strcpy(attr.prog_name, name);
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

int main(int argc, char **argv)
{
	struct bpf_insn good[] = {{0xb7, 0, 0, 0, 7}, {0x95}};
	struct bpf_insn bad[] = {{0x85, 0, 0, 0, 195896080}, {0x95}};
	char line[100];
	FILE *file = fopen(argv[1], "r");

	printf("%s reads %s", argv[0], file ? fgets(line, sizeof line, file) : "nothing");
	printf("btf %d\n", access("/sys/kernel/btf/vmlinux", R_OK));
	printf("loaded %d ", load("good", good, 2) >= 0);
	printf("%d\n", load("bad", bad, 2) >= 0);
	fflush(stdout);
	if (!fork())
		load("in_a_child", good, 2);
	return 3;
}
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder: Path = tmp_path_factory.mktemp("loader")
    (folder / "loader.c").write_text(LOADER)
    arguments = ["-static", "-Os", "-s", "-o", "loader", "loader.c"]
    subprocess.run([compiler, *arguments], cwd=folder, check=True, capture_output=True)
    return (folder / "loader").read_bytes()


@pytest.mark.parametrize("series", SERIES)
def test_loads_are_seen_as_the_kernel_gets_them(ask, loader, series):
    command = GuestCommand(
        argv=("/bin/loader", "/etc/words"),
        files=(
            GuestFile("/bin/loader", loader, executable=True),
            GuestFile("/etc/words", b"some words\n"),
        ),
    )
    seen = ask(GuestRequest(command=command), series=series).command
    assert seen is not None
    assert seen.output == b"/bin/loader reads some words\nbtf 0\nloaded 1 0\n"
    assert seen.status == 3 << 8
    assert [(load.name, load.errno) for load in seen.loads] == [
        (b"good", 0),
        (b"bad", 22),
        (b"in_a_child", 0),
    ]
    good, bad, _ = seen.loads
    assert good.instructions == bytes.fromhex("b700000007000000 9500000000000000")
    assert good.type == 1
    assert b"invalid func unknown#195896080" in bad.log


def test_a_program_that_is_none(ask):
    command = GuestCommand(argv=("/loader",), files=(GuestFile("/loader", b"no program", True),))
    seen = ask(GuestRequest(command=command)).command
    assert seen is not None
    assert seen.status == 127 << 8
    assert seen.loads == ()


def test_output_is_cut_where_it_may_be(ask, loader):
    command = GuestCommand(
        argv=("/loader", "/none"), files=(GuestFile("/loader", loader, True),), output_bytes=7
    )
    seen = ask(GuestRequest(command=command)).command
    assert seen is not None
    assert seen.output == b"/loader"
