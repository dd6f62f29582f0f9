"""What a model looks at: importances of features, contributions to single answers."""

import numpy as np
import pyarrow as pa

from libcell.explain.gather.material import Material
from libcell.explain.page import figures
from libcell.explain.page.sections import Chart, Section

BARS = 25  # groups that a chart shows; the table has all
SHAP = "mean_abs_shap"


def sections(material: Material) -> list[Section]:
    """Bars of the importances, swarms of the contributions."""
    found: list[Section] = []
    for i, (title, one) in enumerate(material.titles("importances")):
        found += bars(title, f"importance{i or ''}", one.content)
    for i, (title, one) in enumerate(material.titles("contributions")):
        found += swarm(title, f"contributions{i or ''}", one.content)
    return found


def bars(title: str, name: str, table: pa.Table) -> list[Section]:
    """The largest importances; nothing of an empty table."""
    if not table.num_rows:
        return []
    rows = sorted(table.to_pylist(), key=lambda r: -r["importance"])
    note = f" The first {BARS} of {len(rows)}." if len(rows) > BARS else ""
    about = (
        "Mean of what a column adds to, or takes from, the score of a class (SHAP), without its "
        "sign, over objects and classes." if rows[0]["score"] == SHAP else
        "Features are shuffled in groups, since single columns stand in for each other; the bar is "
        "what the score loses, the line one standard deviation over repeats.")
    label = ("mean |SHAP|, log-odds" if rows[0]["score"] == SHAP
             else f"loss of {rows[0]['score'].replace('_', ' ')} when shuffled")
    rows = rows[:BARS]
    if len({r["group"].split(": ")[0] for r in rows}) == 1:  # all of one kind: no need to say it
        rows = [r | {"group": r["group"].split(": ", 1)[-1]} for r in rows]
    drawn = figures.importance([r["group"] for r in rows], [r["importance"] for r in rows],
                               [r["sd"] or 0.0 for r in rows], label)
    return [Chart(f"What the model looks at{title}", about + note, name, drawn,
                  f"Most important: {rows[0]['group']}.")]


def swarm(title: str, name: str, table: pa.Table) -> list[Section]:
    """One dot per object and column, to the side to which the column moved the answer.

    Of several classes the one whose score the object's contributions raise most is shown: the
    class that the model answered, as far as its columns are in the table.
    """
    if not table.num_rows:
        return []
    columns = np.array(table.column("column").to_pylist(), dtype=object)
    values = table.column("value").cast(pa.float64()).to_numpy(zero_copy_only=False)
    added = table.column("contribution").to_numpy()
    names = list(dict.fromkeys(columns.tolist()))
    weight = {n: float(np.abs(added[columns == n]).mean()) for n in names}
    names = sorted(names, key=lambda n: -weight[n])
    parts = [(n, values[columns == n], added[columns == n]) for n in names]
    return [Chart(f"How single answers come about{title}", "Each dot is an object's answer: how "
                  "far the column moved the score of the class that the model chose, and whether "
                  "the object's value is low (dark) or high (bright).", name, figures.swarm(parts),
                  f"Columns that move single answers most: {', '.join(names[:3])}.")]
