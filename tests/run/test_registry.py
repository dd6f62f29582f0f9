"""Every method of every room says what it must; other packages can add one."""

import sys

import pytest

from libcell.errors import Unavailable, UsageFault
from libcell.run import devices, registry
from libcell.run.method import Method, option_fields
from libcell.schema.versions import FILES, MAJOR

ALL = [(room, name) for room in registry.ROOMS for name in registry.names(room)]


@pytest.mark.parametrize(("room", "name"), ALL, ids=lambda v: v)
def test_methods_describe_themselves(room, name):
    method = registry.load(room, name)
    assert isinstance(method, Method)
    assert method.name == name
    assert method.summary.endswith(".")
    assert len(method.summary) < 100
    assert registry.summary(room, name) == method.summary
    assert f"cell-{room} {name}" in method.example
    assert method.suffix in method.example
    assert {name for name, _ in method.outputs} <= {*MAJOR, FILES}
    assert set(method.reads) <= {*MAJOR, FILES}
    flags = [flag for field in option_fields(method.options) for flag in field.flags]
    assert len(flags) == len(set(flags))


def test_every_room_has_a_method():
    assert {room for room, _ in ALL} == set(registry.ROOMS)


def test_unknown_method_names_the_known():
    with pytest.raises(UsageFault, match="threshold"):
        registry.load("segment", "magic")


PLUGIN = '''
from dataclasses import dataclass
from libcell.run.method import Method

@dataclass(frozen=True)
class Options:
    pass

METHOD = Method(name="brightness", summary="Brightness.", run=print, options=Options,
                reads=("labels",), writes="features", suffix=".parquet", example="")
'''


def test_another_package_adds_a_method(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    info = site / "other_lab-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[libcell.feat]\nbrightness = other_lab\nbroken = other_lab_gone\n")
    (site / "other_lab.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(site)
    assert set(registry.names("feat")[-2:]) == {"brightness", "broken"}  # our own come first
    assert "other_lab" not in sys.modules
    assert registry.load("feat", "brightness").summary == "Brightness."
    with pytest.raises(Unavailable, match="other_lab_gone"):
        registry.load("feat", "broken")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "cpu:0"])
def test_devices_that_are_none(wanted):
    with pytest.raises(UsageFault, match="expected auto, cpu"):
        devices.resolve(wanted)


def test_a_device_that_is_absent_is_an_error():
    with pytest.raises(Unavailable, match="cuda:7"):
        devices.resolve("cuda:7")


def test_cpu_needs_no_torch():
    assert devices.resolve("cpu") == "cpu"
    assert devices.resolve("auto") in ("cpu", "cuda:0", "mps")
