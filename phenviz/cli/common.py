"""What all commands share: options, errors in one line, progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from phenviz.errors import Cancelled, PhenvizError
from phenviz.formats import FIGURE, suffixes_of
from phenviz.progress import Progress

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.service import Job

FIGURE_SUFFIXES = tuple(FIGURE)
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_CANCEL = 60


class Failure(click.ClickException):
    """A failed command: one line on stderr, exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line."""
        click.echo(f"phenviz: {' '.join(self.message.split())}", file=file, err=file is None)


class PhenvizCommand(click.Command):
    """A command with ``--debug``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_remember_debug,
                help="Show the traceback of an error.",
            )
        )


class PhenvizGroup(click.Group):
    """Commands whose errors end in one line that names cause and fix."""

    command_class = PhenvizCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Keep the commands in the order in which they are used, not that of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn its errors into one line, unless ``--debug`` was given."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.find_root().meta.get("phenviz.debug"):
                raise
            raise Failure(_in_words(error)) from error


class PhenvizCommandGroup(PhenvizGroup, PhenvizCommand):
    """A command that has others below it: ``hypotheses``, and ``hypotheses compare``."""


def _remember_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().meta["phenviz.debug"] = True


def _in_words(error: Exception) -> str:
    if isinstance(error, PhenvizError):
        return str(error)
    if isinstance(error, MemoryError):
        return "memory ran out: choose a shorter locus or fewer contexts, or close other programs"
    if isinstance(error, OSError):
        return f"{error}: check the path, its permissions and the free disk space"
    kind = type(error).__name__
    return f"unexpected {kind}: {error} (this is a bug: run it again with --debug and report what it shows)"


def checked_output(
    value: str, suffixes: Iterable[str], context: click.Context, parameter: click.Parameter
) -> Path:
    """Return the path of an output, or refuse it as wrong usage before anything is computed."""
    from phenviz.results import check_suffix

    try:
        check_suffix(value, suffixes)
    except PhenvizError as error:
        raise click.BadParameter(str(error), context, parameter) from error
    return Path(value)


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of("prediction"), context, parameter)


world_option = click.option(
    "--world", metavar="PROJECT.YAML", help="Work on this world instead of the embedded chromosome 20."
)
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps."
)
reference_option = click.option(
    "--reference", metavar="FASTA", help="Read the bases from this FASTA of the same assembly."
)
output_option = click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="Result file: .nc .zarr .parquet .bed .bw (one bigWig per context) .svg .pdf .png",
)


def refuse_given(*names: str, why: str) -> None:
    """Refuse options of the present command that were given but mean nothing together with the others.

    Parameters
    ----------
    *names
        Of the command's parameters.
    why
        Completes "leave --steps out: ...".
    """
    context = click.get_current_context()
    given = [
        parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"leave {' and '.join(given)} out: {why}")


def with_options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Join option decorators into one; they appear in the order given."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _read_scheduler(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from phenviz.distributed.schedulers import check_scheduler

    try:
        return check_scheduler(value)
    except PhenvizError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def _read_shard(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    first, _, last = value.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise click.BadParameter(
            f"{value!r}: write K/N, such as 3/40 for the third of 40 processes", context, parameter
        )
    return int(first), int(last)


scale_options = with_options(
    click.option("--scheduler", default="none", show_default=True, metavar="NAME", callback=_read_scheduler,
                 help="Who computes: none (this process), local:N (workers on this machine), tcp://host:8786 "
                 "(a Dask scheduler), slurm, cuda (one worker per GPU)."),
    click.option("--shard", metavar="K/N", callback=_read_shard,
                 help="Compute only each N-th shard, from the K-th on: for arrays of batch jobs without "
                 "Dask. Run the command without it when all are done."),
    click.option("--shards-at", metavar="DIR",
                 help="Folder or URL of unfinished work.  [default: OUT.shards]"),
)  # fmt: skip


def wait_for(job: Job) -> xr.Dataset:
    """Wait for a job's result behind a progress bar; Ctrl-C cancels the job.

    Raises
    ------
    PhenvizError
        What the job failed with; `Cancelled` after Ctrl-C.
    """
    with _bar() as show:
        try:
            while not job.wait(_SECONDS_BETWEEN_LOOKS):
                show(job.stage, job.progress)
            show(job.stage, job.progress)
        except KeyboardInterrupt:
            job.cancel()
            job.wait(_SECONDS_TO_CANCEL)
            kept = "what was finished is kept, and the same command goes on from there"
            raise Cancelled(
                f"cancelled; {'nothing about a person is kept' if job.private else kept}"
            ) from None
    return job.result()


@contextmanager
def progress_bar(cancelled: str = "cancelled; what was finished is kept") -> Iterator[Progress]:
    """Give a `Progress` that is drawn as a bar where stderr is a terminal; Ctrl-C ends with these words."""
    with _bar() as show:
        try:
            yield Progress(on_change=show)
        except KeyboardInterrupt:
            raise Cancelled(cancelled) from None


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    if not sys.stderr.isatty():
        yield lambda stage, fraction: None
        return
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=100, bar_format=form, leave=False) as bar:

        def show(stage: str, fraction: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n = round(100 * fraction, 1)
            bar.refresh()

        yield show
