"""That nothing more can be written is known whatever a library makes of it."""

import resource
import signal

import numpy as np
import pytest
import safetensors.numpy
from faults import processes

from libcell.errors import full

CONTENT = np.zeros(10_000)
WAYS = {
    "safetensors": lambda path: safetensors.numpy.save_file({"x": CONTENT}, path),
    "numpy": lambda path: np.save(path.with_suffix(".npy"), CONTENT),
    "bytes": lambda path: path.write_bytes(CONTENT.tobytes()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk_in_the_words_of_libraries(tmp_path, way):
    def write():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            WAYS[way](tmp_path / "x")
        except Exception as error:  # noqa: BLE001  whatever a library raises
            print(full(error))
            return 0
        return 1

    ended = processes.start(write, tmp_path, tmp_path / "log").wait()
    assert ended.code == 0, ended.said
    assert ended.out.startswith(("no space left", "a file would be too large"))


def test_other_errors_are_not():
    for error in (OSError(2, "no such file"), ValueError("10 requested and 5 read"), OSError("x")):
        assert full(error) is None
