"""A little of `make faults`: kills, a full disk, company, clocks, inputs in motion; and that the
judges of it can condemn."""

import shutil

import pytest
from faults import processes
from faults.bench import Bench
from faults.cases import ALL, Case
from faults.clocks import try_clocks
from faults.company import try_company
from faults.disks import try_full, try_read_only, try_slow
from faults.inputs import try_inputs
from faults.kills import try_kills

from libcell.data.output import Output
from libcell.run.registry import ROOMS, names

ELSEWHERE = {"segment cellpose", "track trackastra"}  # no part of the test extra


def case(name: str) -> Case:
    return next(c for c in ALL if c.name == name)


@pytest.fixture(scope="module")
def bench(plate, tmp_path_factory):
    """The small plate, where commands run in forks of this process."""
    processes.load(processes.ARRAYS)
    folder = tmp_path_factory.mktemp("faults") / "world"
    shutil.copytree(plate, folder)
    return Bench(folder)


def require(row):
    if row.impossible:
        pytest.skip(row.note)
    assert row.tries and not row.problems, row.text()


def test_every_method_has_its_case():
    assert {c.name for c in ALL} | ELSEWHERE == {f"{r} {n}" for r in ROOMS for n in names(r)}
    assert {c.room for c in ALL if c.main} == set(ROOMS)


@pytest.mark.parametrize("name", ["extract images", "segment threshold", "crop cells"])
def test_killed_at_any_moment_and_taken_up(bench, name):
    require(try_kills(bench, case(name), count=4, seed=0))


def test_a_disk_that_is_full(bench):
    require(try_full(bench, case("extract images"), shares=(0.3, 0.9), files=(9,)))


def test_disks_that_are_read_only_or_slow(bench):
    require(try_read_only(bench, case("extract images")))
    require(try_slow(bench, case("crop cells")))


def test_several_processes_and_one_output(bench):
    require(try_company(bench, case("extract images"), rounds=1))


def test_clocks_that_go_back(bench):
    require(try_clocks(bench, case("extract images")))


def test_inputs_in_motion(bench):
    require(try_inputs(bench, case("crop cells"), moments=1))


def test_an_output_that_appears_piece_by_piece_is_condemned(bench, monkeypatch):
    def careless(self):
        shutil.copytree(self.root, self.path)
        self.abandon()

    bench.undisturbed(case("extract images"))
    monkeypatch.setattr(Output, "publish", careless)
    row = try_kills(bench, case("extract images"), count=4, seed=0)
    assert any("half an output" in p for p in row.problems), row.text()


def test_a_run_that_goes_on_from_what_is_not_there_is_condemned(bench, monkeypatch):
    real = Output._settle_earlier

    def forgetful(self, job):
        real(self, job)
        if self.resume:
            shutil.rmtree(self.root, ignore_errors=True)

    bench.undisturbed(case("extract images"))
    monkeypatch.setattr(Output, "_settle_earlier", forgetful)
    assert try_clocks(bench, case("extract images")).problems  # cut off after two thirds
