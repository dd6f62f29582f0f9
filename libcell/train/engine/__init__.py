"""The one training loop: what is trained is a `Task`, how is a `Recipe`, `fit` does it.

    from libcell.train.engine.extra import require
    require("cell-train mine")                       # torch is there, or exit 69
    from libcell.train.engine.fit import fit
    from libcell.train.engine.recipe import Recipe

    fitted = fit(MyTask(...), Recipe.of(options), job, seed=job.seed)
    if not fitted.first:                             # under torchrun, see Method.distributed
        return
    models.save(job.root, fitted.tensors(), card)    # fitted.figures, fitted.epoch: of the best
    history.write(job.root, fitted.history, job.provenance())

A method's options inherit `engine.options.TrainingOptions` (`@dataclass(frozen=True,
kw_only=True)`), which the top of a method file may import.

Exact resume rests on randomness without history: before each batch torch's generators are seeded
from (seed, epoch, batch, rank), so a checkpoint need not hold their state, and whatever the
network and the loss draw depends on where they are, not on how they came there. A task's
`batches` draw from numpy generators seeded with (seed, epoch).
"""
