"""Where tensors live. A device that was asked for and is absent is an error, never a slow run."""

from libcell.errors import Unavailable, UsageFault


def resolve(wanted: str) -> str:
    """`cpu`, `cuda:N` or `mps` for what the user asked; `auto` takes the best there is.

    torch is imported only where something other than the CPU may be meant.
    """
    if wanted == "cpu":
        return "cpu"
    kind, _, number = wanted.partition(":")
    if kind not in ("auto", "cuda", "mps") or (number and not number.isdigit()):
        raise UsageFault(f"--device {wanted}: expected auto, cpu, cuda, cuda:N or mps")
    try:
        import torch
    except ImportError as error:
        if kind == "auto":
            return "cpu"
        raise Unavailable(
            f"--device {wanted} needs torch (pip install 'libcell[train]')"
        ) from error
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return "cuda:0" if cuda else ("mps" if torch.backends.mps.is_available() else "cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise Unavailable("--device mps: this machine has no Metal device (use --device cpu)")
    if kind == "cuda" and int(number or 0) >= cuda:
        raise Unavailable(
            f"--device {wanted}: this machine has {cuda} CUDA devices (use --device cpu)"
        )
    return f"cuda:{number or 0}" if kind == "cuda" else "mps"
