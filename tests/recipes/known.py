"""The recipes, how each is started, and what it must reach."""

from dataclasses import dataclass, field

from tests.recipes.figures import Figure, largest_shift_error, rows, score, size


@dataclass(frozen=True)
class Recipe:
    """`command` runs in `examples/FOLDER`; {out}, {data}, {python} and {jobs} in it are filled in.

    needs: folders of the shared microscopy; programs: engines that must be installed. Where either
    is absent the recipe is left out, by name. nothing_left: a command that leaves with 0 if a
    second run would do nothing.
    """

    name: str
    folder: str
    command: tuple[str, ...]
    figures: tuple[Figure, ...]
    needs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    nothing_left: tuple[str, ...] = field(default=())


def made(
    name: str, *figures: Figure, needs: tuple[str, ...] = (), settings: tuple[str, ...] = ()
) -> Recipe:
    """A recipe for make, in the folder of its own name."""
    given = ("OUT={out}", "JOBS={jobs}", *settings)
    return Recipe(name, name, ("make", *given), figures, needs, ("make",), ("make", "-q", *given))


def engine(
    name: str, folder: str, line: str, *figures: Figure, program: str, again: str = ""
) -> Recipe:
    """A recipe for another engine: lines of bash in `examples/FOLDER`, on simulated plates in
    {out}/raw. `again` must find nothing left to do."""
    plates = ("test -d {out}/raw || {python} -m libcell.simulate plate --plates 2 --wells 6"
              " --sites 1 -o {out}/raw\n")
    return Recipe(name, folder, ("bash", "-euc", plates + line), figures, (), (program,),
                  ("bash", "-euc", again) if again else ())


SHELL = "RAW={out}/raw/images LAYOUT={out}/raw/layout.csv OUT={out}/made JOBS={jobs} ./plates.sh"
SNAKEMAKE = ("cd {out}/recipe\nsnakemake --cores {jobs} --config raw='{out}/raw/images/*/*.tif'"
             " layout={out}/raw/layout.csv out={out}/made")
CWL = """
cell-extract images '{out}/raw/images/P1/*' --pattern '{{well}}_s{{site}}_{{channel}}.tif' \\
  --force -o {out}/plate.ome.zarr
{python} -m libcell.cli.descriptors cwl {out}/tools
cp plate.cwl {out}
cwltool --no-container --preserve-environment PATH --outdir {out}/made {out}/plate.cwl \\
  --plate {out}/plate.ome.zarr --channel DNA
"""
COMPARED = "compared/scores.parquet"

RECIPES: list[Recipe] = [
    made("plate", score("score/scores.parquet", "balanced_accuracy", 0.9, end="low"),
         size("report.html", 100_000),
         needs=("sbs_plate96",), settings=(
             "RAW={data}/sbs_plate96/images", "LAYOUT={data}/sbs_plate96/1049_Metadata.csv")),
    made("livecell_cls",
         score("linear.score/scores.parquet", "balanced_accuracy", "forest_balanced_accuracy"),
         score(COMPARED, "balanced_accuracy", 0.5, end="low", model="linear"),
         score(COMPARED, "balanced_accuracy", 0.5, end="low", model="elegans"),
         size("report.html", 100_000)),
    made("clanet", score("score/scores.parquet", "batch_accuracy", "majority_accuracy")),
    made("nucleocentric",
         largest_shift_error("both.bundle/transforms.parquet", "raw/truth/shifts.csv", 0.25),
         score(COMPARED, "balanced_accuracy", 0.6, end="low", model="whole"),
         score(COMPARED, "balanced_accuracy", 0.6, end="low", model="nucleocentric"),
         score(COMPARED, "balanced_accuracy", 0.7, end="low", model="trees"),
         size("report.html", 100_000)),
    made("cell_cycle",
         *(score(f"{m}.score/scores.parquet", "accuracy", "majority_accuracy", end="low",
                 text=f"{m} accuracy") for m in ("full", "weak", "frames")),
         size("aligned.bundle/predictions.parquet", 1000)),
    made("cellect", *(score(f"{m}.score.parquet", "LNK", least, text=f"{m} LNK")
                      for m, least in (("embed", 0.95), ("lap", 0.99))),
         needs=("bacteria_trpL",), settings=("MOVIE={data}/bacteria_trpL",)),
    made("mitocheck_report",
         score("score-network/scores.parquet", "balanced_accuracy", "majority_balanced_accuracy",
               end="low", text="network balanced accuracy"),
         score("score-trees/scores.parquet", "balanced_accuracy", "majority_balanced_accuracy",
               end="low", text="trees balanced accuracy"),
         size("report.html", 100_000),
         needs=("mitocheck_nuclei",), settings=("RAW={data}/mitocheck_nuclei",)),
    engine("shell", "shell", SHELL, rows("made/profiles.parquet", 12), program="parallel",
           again="touch {out}/mark\n" + SHELL
                 + "\ntest -z \"$(find {out}/made -name '*.parquet' -newer {out}/mark)\""),
    engine("snakemake", "snakemake", "cp -R . {out}/recipe\n" + SNAKEMAKE,
           rows("made/features.parquet", 300), size("made/report.html", 100_000),
           program="snakemake", again=SNAKEMAKE + " --dry-run 2>&1 | grep -q 'Nothing to be done'"),
    engine("cwl", "cwl", CWL, rows("made/features.parquet", 100), program="cwltool"),
]
