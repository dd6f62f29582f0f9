"""From links between frames to tracks with parents, one frame at a time."""

from collections.abc import Iterable, Iterator

import numpy as np

from libcell.errors import DataError
from libcell.track.kernels.frame import Frame, describe
from libcell.track.kernels.overlap import LinkRules, Links, link_frames

AXES = ("z", "y", "x")


class TrackBuilder:
    """Numbers tracks from 1 on in order of appearance; give it the frames in time order.

    A track ends where its object divides or finds no target; daughters start tracks that name
    it as parent. What has been returned never changes.
    """

    def __init__(self) -> None:
        self._tracks = np.zeros(0, np.int64)
        self._parents = np.zeros(0, np.int64)
        self._last = 0
        self._t: int | None = None

    def add(self, t: int, frame: Frame, links: Links | None) -> dict[str, np.ndarray]:
        """Columns, one row per object of `frame`, in the frame's order.

        t, label, track_id, parent_track_id (of the whole track; 0: none) int64; score float64,
        the link's to the frame before (nan: the object is new); (z,) y, x centroid float64, px.

        links  from the frame given before; None starts all objects as new tracks
        """
        if self._t is not None and t <= self._t:
            raise DataError(f"frames must come in time order: {t} after {self._t}")
        n = frame.labels.size
        tracks, parents = np.zeros((2, n), np.int64)
        score = np.full(n, np.nan)
        if links is not None:
            self._check(links, n)
            came = self._tracks[links.source]
            tracks[links.target] = np.where(links.division, 0, came)
            parents[links.target] = np.where(links.division, came, self._parents[links.source])
            score[links.target] = links.score
        new = np.flatnonzero(tracks == 0)
        tracks[new] = self._last + 1 + np.arange(new.size)
        self._tracks, self._parents = tracks, parents
        self._last, self._t = self._last + new.size, t
        return {
            "t": np.full(n, t, np.int64),
            "label": frame.labels,
            "track_id": tracks,
            "parent_track_id": parents,
            "score": score,
            **dict(zip(AXES[-len(frame.shape) :], frame.centroids.T)),
        }

    def _check(self, links: Links, n: int) -> None:
        """A source without division has one target, every target one source."""
        if np.unique(links.target).size != links.target.size:
            raise DataError("a target has two sources")
        single = links.source[~links.division]
        if np.intersect1d(single, links.source[links.division]).size or (
            np.unique(single).size != single.size
        ):
            raise DataError("a source has two targets that are not marked as a division")
        if links.source.size and (
            links.source.max() >= self._tracks.size or links.target.max() >= n
        ):
            raise DataError("links name objects that their frames do not have")


def track_frames(
    frames: Iterable[np.ndarray], rules: LinkRules | None = None, motion: str = "none"
) -> Iterator[dict[str, np.ndarray]]:
    """Rows of `TrackBuilder.add` for each label image of a sequence in time order.

    Holds two frames at a time; `motion` as in `link_frames`.
    """
    rules = rules or LinkRules()
    builder, previous = TrackBuilder(), None
    for t, labels in enumerate(frames):
        frame = describe(labels)
        links = None
        if previous is not None:
            if frame.shape != previous.shape:
                raise DataError(
                    f"frame {t} has shape {frame.shape}, the ones before {previous.shape}"
                )
            links = link_frames(previous, frame, rules, motion)
        yield builder.add(t, frame, links)
        previous = frame
