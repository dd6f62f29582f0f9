"""What a command says of a network that it trained, or of one per fold."""

from typing import Any

from libcell.run.job import Job


def announce(job: Job, card: dict[str, Any], figures: tuple[str, ...]) -> None:
    """The split's warnings, and the model's record with those of the `figures` that its card has,
    of the test part or else of the validation part."""
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    best = card["metrics"].get("test") or card["metrics"].get("validation") or {}
    told = {"folds": len(card["split"]["members"])} if "members" in card["split"] else {
        "epoch": card["training"]["epoch"]}
    rows = card["split"]["rows"]
    job.publish("model", rows["train"] or rows["test"], **told,
                **{k: best[k] for k in figures if k in best})
