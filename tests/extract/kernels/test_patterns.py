"""What file names tell: times, rows by number, and patterns that are proposed."""

import pytest

from libcell.errors import DataError, UsageFault
from libcell.extract.kernels import pattern as names
from libcell.extract.kernels.auto_pattern import propose


def told(pattern, name):
    place = names.parse(names.compile_pattern(pattern), name)
    return place, {k: v for k, v in names.metadata(place, None).items() if v is not None}


@pytest.mark.parametrize(("pattern", "name", "columns", "t"), [
    ("{CellLine}_Phase_{well}_{site}_{time}_{Piece}.tif", "A172_Phase_C7_1_01d04h00m_3.tif",
     {"Metadata_Well": "C7", "Metadata_Site": "1", "Metadata_Hours": 28.0,
      "Metadata_CellLine": "A172", "Metadata_Piece": "3"}, 28 * 60),
    ("{plate}_{well}_{site}_{time}.jpg", "VID1709_G7_1_02d12h30m.jpg",
     {"Metadata_Plate": "VID1709", "Metadata_Well": "G7", "Metadata_Site": "1",
      "Metadata_Hours": 60.5}, 3630),
    ("{row}-{col}-{site}.tif", "B-02-01.tif", {"Metadata_Well": "B02", "Metadata_Site": "01"}, 0),
    ("{_}_t{t}.tif", "raw/embryo_t012.tif", {}, 12),
    ("x{time}.tif", "x7.tif", {}, 7),
    ("r{row}c{col}.tif", "r27c03.tif", {"Metadata_Well": "AA03"}, 0),
])
def test_names_of_known_forms(pattern, name, columns, t):
    place, found = told(pattern, name)
    assert found == columns and place.t == t


@pytest.mark.parametrize(("name", "stem"), [
    ("a.tif", "a"), ("a.ome.tif", "a"), ("a.OME.TIFF", "a"), ("x.rf.03db.jpg", "x.rf.03db"),
    ("p.ome.zarr", "p"), ("p.ome.zarr.zip", "p"), ("none", "none"),
])
def test_what_is_left_of_a_name(name, stem):
    assert names.stem(name) == stem


def test_a_frame_has_one_time():
    with pytest.raises(UsageFault, match="not both"):
        names.compile_pattern("{t}_{time}.tif")


def plate(form, **axes):
    """All names of a form over the values of its axes."""
    made = [form]
    for axis, values in axes.items():
        made = [name.replace(f"<{axis}>", value) for name in made for value in values]
    return made


@pytest.mark.parametrize(("form", "axes", "pattern"), [
    ("<w>_s<s>_<c>.tif", {"w": ["A01", "B12"], "s": ["1", "2"], "c": ["DNA", "Cy3"]},
     "{well}_s{site}_{channel}.tif"),
    ("VID1_<w>_<s>_<t>.jpg", {"w": ["G7", "G8"], "s": ["1", "2"], "t": ["00d12h00m", "01d00h00m"]},
     "VID1_{well}_{site}_{time}.jpg"),
    ("<r>-<k>-<s>.tif", {"r": ["B", "C"], "k": ["02", "03"], "s": ["01", "02"]},
     "{row}-{col}-{site}.tif"),
    ("B-<k>-<s>.tif", {"k": ["02", "03"], "s": ["01", "02"]}, "{row}-{col}-{site}.tif"),
    ("e_t<t>.tif", {"t": ["000", "001"]}, "e_t{t}.tif"),
    ("r<r>c<k>f<s>p01-ch<c>sk1.tiff", {"r": ["01", "02"], "k": ["03", "04"], "s": ["01", "02"],
                                       "c": ["1", "2"]},
     "r{row}c{col}f{site}p01-ch{channel}sk1.tiff"),
    ("r01c<k>f<s>.tiff", {"k": ["03", "04"], "s": ["1", "2"]}, "r{row}c{col}f{site}.tiff"),
])
def test_proposed_patterns(form, axes, pattern):
    listed = plate(form, **axes)
    found = propose(listed)
    assert found.pattern == pattern
    assert found.reason.startswith(f"{len(listed)} names are {pattern}")


def test_a_running_number_of_wells_tells_nothing():
    listed = [f"Channel{c}-{i * 3 + k + 1:02d}-{row}-{k + 1:02d}.tif"
              for c in "12" for i, row in enumerate("AB") for k in range(3)]
    found = propose(listed)
    assert found.pattern == "Channel{channel}-{_}-{row}-{col}.tif"
    assert "6 wells, 2 channels (1, 2)" in found.reason


@pytest.mark.parametrize(("listed", "said"), [
    (["a.tif"], "nothing to compare"),
    (["a.tif", "a_b.tif"], "different forms"),
    (["x_1_2.tif", "x_2_3.tif"], "what is 1 ... 2 and what is 2 ... 3?"),
    (["mouse.tif", "rat.tif"], "what is mouse ... rat?"),
    (["a.tif", "b.tif"], "what is a ... b?"),
    (["q1_A01.tif", "q2_A01.tif"], "what is q1 ... q2?"),
])
def test_what_is_not_guessed(listed, said):
    with pytest.raises(DataError, match="--pattern auto") as error:
        propose(listed)
    assert said in str(error.value)
