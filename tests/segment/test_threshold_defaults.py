"""The command's defaults are the kernel's, which were tuned."""

import dataclasses

from libcell.segment.kernels.params import ThresholdParams
from libcell.segment.threshold import Options, parameters


def test_command_and_kernel_have_the_same_defaults():
    assert ThresholdParams(**parameters(Options())) == ThresholdParams()


def test_every_parameter_can_be_set_from_the_command():
    assert set(parameters(Options())) == {f.name for f in dataclasses.fields(ThresholdParams)}
