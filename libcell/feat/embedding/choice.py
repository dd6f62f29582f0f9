"""From the options and the first store to a network and what it sees."""

from pathlib import Path
from typing import Any

from libcell.data import crops, digests, models
from libcell.data.crops import CropStore
from libcell.data.weights import Weights
from libcell.errors import DataError, UsageFault
from libcell.feat.embedding import network, published, sight
from libcell.feat.embedding.network import Network
from libcell.feat.embedding.sight import Sight

CARDS = ("region", "window", "size", "normalise", "channels_as")  # what a model's card decides


def choose(options: Any, store: Path, seed: int) -> tuple[Network, Sight, Weights | None]:
    """The network, what it sees, and the file of its weights if it is not a model of ours.

    UsageFault where the options do not name one network.
    """
    if options.model:
        _require_alone(options)
        return *_of_model(options, seed), None
    return _of_timm(options, crops.open_crops(store), seed)


def require_alike(store: Path, sees: Sight, first: Path, fixed: bool) -> None:
    """DataError unless a further store can be seen as the first is: its channels, and its crops'
    size where neither --window nor a model has `fixed` it."""
    found = sees.reader(store).store.size_px
    if not fixed and found != sees.window_px:
        raise DataError(f"{store}: crops are {_by(found)} px, those of {first} are "
                        f"{_by(sees.window_px)}; choose what to see of both with --window")


def _require_alone(options: Any) -> None:
    given = [n for n in ("backbone", "weights") if getattr(options, n) is not None]
    if given:
        raise UsageFault(f"--{given[0]} and --model name two networks; give one")
    told = [n for n in CARDS if getattr(options, n) is not None]
    if told:
        raise UsageFault(f"--{told[0].replace('_', '-')}: the model's card says that; it is for "
                         "--backbone and --weights")


def _of_model(options: Any, seed: int) -> tuple[Network, Sight]:
    path = Path(options.model)
    card = network.card_of(path)
    taken, shape = card["input"], card["network"]
    if options.channels and len(options.channels) != len(taken["channels"]):
        raise UsageFault(f"--channels {','.join(options.channels)}: {path} wants "
                         f"{len(taken['channels'])} ({', '.join(taken['channels'])})")
    file = path / models.WEIGHTS
    if not file.is_file():
        raise DataError(f"{path}: holds no {models.WEIGHTS}")
    found = Network(shape["backbone"], shape["channels"], tuple(shape["size_px"]), model=path,
                    digest=digests.of_file(file), seed=seed if options.untrained else None)
    return found, sight.of_card(taken, options.channels)


def _of_timm(options: Any, store: CropStore, seed: int) -> tuple[Network, Sight, Weights | None]:
    weights = published.find(options.weights) if options.weights else None
    name = _named(options)
    sees = _colour_sight(options, store, name)
    inputs = sight.GREY if sees.separate else len(sees.channels)
    found = Network(name, inputs, sees.size_px, weights=weights.path if weights else None,
                    digest=weights.digest if weights else "", seed=None if weights else seed)
    return found, sees, weights


def _named(options: Any) -> str:
    """The backbone's name; UsageFault unless just one kind of weights for it is named."""
    if options.weights and options.untrained:
        raise UsageFault("--weights and --untrained: one or the other")
    if options.weights:
        name = options.backbone or published.backbone_of(options.weights)
        if not name:
            raise UsageFault(f"--weights {options.weights}: of which network? name it with "
                             "--backbone")
        return str(name)
    if not (options.backbone and options.untrained):
        raise UsageFault("which network? --model, or --backbone with --weights, or with "
                         "--untrained")
    return str(options.backbone)


def _colour_sight(options: Any, store: CropStore, name: str) -> Sight:
    """What a network for colour pictures sees: channels one by one unless told otherwise."""
    separate = (options.channels_as or "separate") == "separate"
    channels = options.channels or store.channels
    window = (options.window, options.window) if options.window else store.size_px
    size = (options.size, options.size) if options.size else published.own_size(name) or window
    kind = options.normalise or "crop"
    how: dict[str, Any] = {"kind": kind}
    if kind == "crop":
        how["percentiles"] = sight.PERCENTILES
    contrast = published.contrast(name, separate, len(channels))
    return Sight(tuple(channels), options.region or "patch", window, size, how, separate=separate,
                 contrast=contrast)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
