"""The options that every command has, spelled the same everywhere."""

from dataclasses import dataclass
from typing import Annotated

from libcell.run.method import Opt

ABOUT_OUTPUTS = ("resume", "skip_existing", "force")


@dataclass(frozen=True)
class Common:
    """Where the result goes, with what it is made, and how much is said about it."""

    output: Annotated[
        str | None, Opt("output path or URL; - for a table to stdout", ("-o", "--output"))
    ]
    workers: Annotated[
        int | None, Opt("blocks done at once [all cores]", ("-j", "--workers"), least=1)
    ] = None
    scheduler: Annotated[
        str, Opt("auto (DASK_SCHEDULER_ADDRESS, or what suits the method), threads, processes, "
                 "or a dask scheduler: tcp://HOST:PORT or FILE.json")
    ] = "auto"
    device: Annotated[str, Opt("auto, cpu, cuda, cuda:N or mps")] = "auto"
    seed: Annotated[int, Opt("seed of everything random", least=0)] = 0
    force: Annotated[
        bool, Opt("replace the output; with --resume, keep unfinished work", ("--force",))
    ] = False
    resume: Annotated[bool, Opt("continue an unfinished run, if there is one", ("--resume",))] = (
        False
    )
    skip_existing: Annotated[
        bool, Opt("leave an output that exists, and say it is there", ("--skip-existing",))
    ] = False
    partial_ok: Annotated[
        bool, Opt("publish the output even where blocks failed", ("--partial-ok",))
    ] = False
    dry_run: Annotated[
        bool, Opt("say what would be read, computed and written", ("-n", "--dry-run"))
    ] = False
    config: Annotated[str | None, Opt("TOML file with defaults for any option")] = None
    dump_config: Annotated[
        bool, Opt("print the options in force as TOML, do nothing", ("--dump-config",))
    ] = False
    quiet: Annotated[bool, Opt("only errors on stderr", ("-q", "--quiet"))] = False
    verbose: Annotated[bool, Opt("say more; tracebacks of faults", ("-v", "--verbose"))] = False
    log_json: Annotated[bool, Opt("messages on stderr as JSON lines", ("--log-json",))] = False
