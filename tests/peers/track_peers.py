"""laptrack and btrack in environments of their own: points in, flat tracks out.

Both are written to `cell-track convert`'s columns. The time is the processor's for linking alone,
from arrays in memory to tracks in memory.
"""

import subprocess
import sys
from pathlib import Path

READ = """
import sys, time, csv, json
import numpy as np
source, made, reach = sys.argv[1], sys.argv[2], float(sys.argv[3])
t, y, x = np.loadtxt(source, delimiter=",", skiprows=1, usecols=(0, 1, 2)).T
t = t.astype(int)
def write(rows, took):
    with open(made, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["track_id", "t", "y", "x", "parent_track_id"])
        out.writerows(rows)
    print(took)
"""

LAPTRACK = READ + """
import pandas as pd
from laptrack import LapTrack
table = pd.DataFrame({"frame": t, "y": y, "x": x})
tracker = LapTrack(cutoff=reach**2, gap_closing_cutoff=reach**2, splitting_cutoff=reach**2,
                   gap_closing_max_frame_count=1)
start = time.process_time()
found, split, _ = tracker.predict_dataframe(table, ["y", "x"], only_coordinate_cols=False)
took = time.process_time() - start
found = found.reset_index()
parent = dict(zip(split["child_track_id"], split["parent_track_id"])) if len(split) else {}
write([(k + 1, f, a, b, parent.get(k, -1) + 1) for k, f, a, b in
       zip(found["track_id"], found["frame"], found["y"], found["x"])], took)
"""

# the settings that btrack's own examples use for cells
BTRACK = READ + """
import btrack, logging
from btrack import io
logging.disable(logging.CRITICAL)
eye = lambda n, d=1.0: (d * np.eye(n)).ravel().tolist()
move = np.eye(6) + np.diag(np.ones(3), 3)
config = {"TrackerConfig": {
  "MotionModel": {"name": "cell_motion", "dt": 1.0, "measurements": 3, "states": 6,
    "accuracy": 7.5, "prob_not_assign": 0.001, "max_lost": 5,
    "A": {"matrix": move.ravel().tolist()}, "H": {"matrix": np.eye(3, 6).ravel().tolist()},
    "P": {"sigma": 150.0, "matrix": np.diag([.1, .1, .1, 1, 1, 1]).ravel().tolist()},
    "G": {"sigma": 15.0, "matrix": [.5, .5, .5, 1, 1, 1]},
    "R": {"sigma": 5.0, "matrix": eye(3)}},
  "ObjectModel": {},
  "HypothesisModel": {"name": "cell_hypothesis",
    "hypotheses": ["P_FP", "P_init", "P_term", "P_link", "P_branch", "P_dead"],
    "lambda_time": 5.0, "lambda_dist": 3.0, "lambda_link": 10.0, "lambda_branch": 50.0,
    "eta": 1e-10, "theta_dist": 20.0, "theta_time": 5.0, "dist_thresh": reach, "time_thresh": 2,
    "apop_thresh": 5, "segmentation_miss_rate": 0.1, "apoptosis_rate": 0.001, "relax": True}}}
place = made + ".json"
json.dump(config, open(place, "w"))
start = time.process_time()
objects = io.objects_from_dict({"t": t, "x": x, "y": y, "z": np.zeros(len(t))})
with btrack.BayesianTracker(verbose=False) as tracker:
    tracker.configure(place)
    tracker.max_search_radius = reach
    tracker.append(objects)
    tracker.volume = ((0, x.max() + 1), (0, y.max() + 1), (-1e5, 1e5))
    tracker.track(step_size=100)
    tracker.optimize()
    tracks = tracker.tracks
took = time.process_time() - start
# what it fills in where nothing was seen is no object
write([(k.ID, f, b, a, 0 if k.parent == k.ID else k.parent) for k in tracks
       for f, a, b, d in zip(k.t, k.x, k.y, k.dummy) if not d], took)
"""

PEERS = {"laptrack": ("laptrack==0.17.0", LAPTRACK), "btrack": ("btrack==0.6.5", BTRACK)}


def python_of(scratch: Path, peer: str) -> Path:
    """Python of an environment with a peer in it, made if it is not there."""
    python = scratch / f"{peer}-environment" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEERS[peer][0]], check=True)
    return python


def track(scratch: Path, peer: str, points: Path, made: Path, reach: float) -> float:
    """Write a peer's tracks of a table of points; returns the seconds of linking."""
    done = subprocess.run(
        [python_of(scratch, peer), "-c", PEERS[peer][1], points, made, str(reach)],
        check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])
