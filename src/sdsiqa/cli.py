"""The `sdsiqa` command: names the verbs, imports only the one that is called."""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

STAGES = {
    "fit": "Train a network, then test the weights that validation chose.",
    "validate": "Score the validation part with a checkpoint.",
    "test": "Score the test part, or all of another benchmark, with a checkpoint.",
    "predict": "Write scores of a benchmark without judging them.",
}
TOOLS = {
    "score": ("sdsiqa.inference.score", "Score image files with a checkpoint."),
    "app": ("sdsiqa.inference.app.command", "Open a page on this machine to try a model on pictures."),
    "export": ("sdsiqa.inference.export", "Write a checkpoint as an ONNX file that scores alike."),
    "saliency": ("sdsiqa.saliency.fill", "Fill a folder with saliency maps."),
    "check-data": ("sdsiqa.benchmarks.check", "Check a benchmark's files, scores and splits."),
    "grid": ("sdsiqa.experiments.grid", "Run an experiment: many runs, resumable, with a report at the end."),
    "dashboard": ("sdsiqa.tracking.dashboard", "Create or update a project's Weights & Biases workspace."),
    "sync": ("sdsiqa.tracking.offline", "Upload what was logged offline to Weights & Biases."),
    "prefetch": ("sdsiqa.experiments.prefetch", "Put weights and data in place for machines without internet."),
    "submit": ("sdsiqa.experiments.submit", "Submit a run or an experiment as jobs of a cluster."),
    "verify": ("sdsiqa.runs.manifest", "Compare the files of runs with their checksums."),
    "report": ("sdsiqa.report", "Make tables, figures and a page from the scores of finished runs."),
}


STOPPED = {
    **dict.fromkeys(STAGES, "stopped"),
    "fit": "stopped before the first step; the same command resumes",
    "score": "stopped before the first score",
    "app": "stopped before the page was there",
    "export": "stopped; no file was written",
    "saliency": "stopped; the same command resumes",
    "check-data": "stopped",
    "report": "stopped; files are whole or not there",
}
"""What Ctrl-C says at the start of what works for longer; `grid` answers signals itself."""


def overview() -> str:
    """List the verbs, with a line each."""
    lines = {**STAGES, **{name: line for name, (_, line) in TOOLS.items()}}
    verbs = "\n".join(f"  {name:<12}{line}" for name, line in lines.items())
    return (
        "usage: sdsiqa VERB [OPTIONS]\n\nSaliency-guided no-reference image quality assessment.\n\n"
        f"{verbs}\n\n`sdsiqa VERB --help` says more. Start with: sdsiqa fit -c configs/demo.yaml"
    )


def main(args: list[str] | None = None) -> int:
    """Run a verb.

    Args:
        args: Words of the command line; `None`: use `sys.argv`.

    Returns:
        The exit status: 0 for success, 1 where something is wrong with the input, 2 for wrong usage, 70 for a fault of sdsiqa
        itself, 75, 129, 130 or 143 for a run that a signal stopped and that can resume (`sdsiqa.runs.signals`), 141 if the
        reader of the output has closed it.
    """
    words = sys.argv[1:] if args is None else args
    _prepare_streams()
    try:
        status = _answered(words)
    except KeyboardInterrupt:  # while an error is told, too
        if args is None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more, while threads end, ends the process without a traceback
        _tell(words, "stopped; files are whole or not there")
        status = 130
    if not _flushed():  # what is left in the buffer must not fail at the exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _answered(words: list[str]) -> int:
    """Run a verb; give the exit status, of an error too, which is told."""
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # `sdsiqa ... | head`
        return 141
    except Exception as error:
        return int(import_module("sdsiqa.runs.last_words").tell(error, lambda text: _tell(words, text)))
    return status


def _run(words: list[str]) -> int:
    """Run a verb; give the exit status."""
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    name, *rest = words
    if name == "--version":
        print(import_module("sdsiqa").__version__)
        return 0
    if name not in STAGES and name not in TOOLS:
        print(f"sdsiqa: there is no verb {name!r}{_nearest(name)}\n\n{overview()}", file=sys.stderr)
        return 2
    import_module("sdsiqa.runs.class_paths").include_current_folder()
    import_module("sdsiqa.runs.variables").forget_empty()
    process = import_module("sdsiqa.runs.process")
    process.check_launcher()
    process.share_cores()
    if name not in STOPPED:
        return int(import_module(TOOLS[name][0]).main(rest))
    if name in STAGES and {"-h", "--help"} & set(rest):
        print(import_module("sdsiqa.training.light_help").help_of(name))
        return 0
    signals = import_module("sdsiqa.runs.signals")
    # a signal may come while torch is imported, and that cannot be broken off in its middle
    signals.answer(signals.Answer.END, STOPPED[name])
    signals.listen(name)
    try:
        if name in TOOLS:
            with signals.obeyed():
                return int(import_module(TOOLS[name][0]).main(rest))
        preflight = import_module("sdsiqa.training.preflight")
        if not preflight.asks_for_help(rest):
            preflight.check(rest)  # a typo is told before torch is imported
            if name == "fit":
                import_module("sdsiqa.training.rerun").end_if_finished(rest)
        training = import_module("sdsiqa.training.cli")
        process.quiet()  # after Lightning's own filters
        return int(training.main(words))
    finally:
        signals.stop_listening()


def _prepare_streams() -> None:
    """Let nothing that is printed fail: an ASCII terminal shows other letters escaped, and a closed stream takes no file."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started the process
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - as long as the process lives
        elif getattr(stream, "errors", None) in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flushed() -> bool:
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _tell(words: list[str], text: str) -> None:
    print(f"sdsiqa {words[0]}: {text}" if words else f"sdsiqa: {text}", file=sys.stderr)


def _nearest(name: str) -> str:
    difflib = import_module("difflib")
    near = difflib.get_close_matches(name, [*STAGES, *TOOLS], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
