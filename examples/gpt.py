"""Train a GPT on the characters of a text, then let it write.

    python examples/gpt.py                          the Python standard library's sources, nanoGPT's sizes for a CPU
    python examples/gpt.py --text shakespeare.txt   any other text
    python examples/gpt.py --resume                 go on after an interruption, or write some more

Everything is kept in the folder --out: checkpoint.safetensors, loss.png and metrics.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lazygrad import manual_seed
from lazygrad.data import Corpus, TokenWindows, load_corpus, split_tokens
from lazygrad.errors import (
    ArgumentError,
    DeviceError,
    DivergenceError,
    FileFormatError,
    OutOfMemoryError,
    SettingsError,
    TextError,
)
from lazygrad.io import atomic_write, remove_leftovers
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.text import CharTokenizer, check_sampling
from lazygrad.train import Checkpoint, Interrupt, Trainer, TrainingPlan, plot_curves, progress, read_checkpoint
from lazygrad.train.progress import duration_text

# What is wrong with what the user gave or has, as against what is wrong with lazygrad: told in one line.
MISTAKES = (
    ArgumentError, DeviceError, DivergenceError, FileFormatError, OutOfMemoryError, SettingsError, TextError, OSError,
)  # fmt: skip
CHECKPOINT = "checkpoint.safetensors"
MODEL_OPTIONS = [field.name for field in fields(GPTConfig) if field.name != "vocabulary"]
PLAN_OPTIONS = [field.name for field in fields(TrainingPlan)]


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"gpt.py: {message} (--help lists the options)\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; those of the model and the plan are present only where they were given."""
    model, plan = GPTConfig(vocabulary=1), TrainingPlan()
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", metavar="FILE", help="UTF-8 text to train on (default: Python's standard library)")
    parser.add_argument("--out", metavar="DIR", help=f"where results go (default: {Path('out') / 'gpt'})")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="DIR",
        help="continue from DIR's checkpoint (default: the one in --out)",
    )
    sampling = parser.add_argument_group("writing")
    sampling.add_argument("--prompt", help="what the text begins with (default: a new line)")
    sampling.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest (default: 0.8)")
    sampling.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest only (default: all)")
    sampling.add_argument("--max-new-tokens", type=int, default=500, metavar="N", help="how much (default: 500)")
    for title, names, defaults in (("model", MODEL_OPTIONS, model), ("training", PLAN_OPTIONS, plan)):
        group = parser.add_argument_group(title)
        for name in names:
            value = getattr(defaults, name)
            group.add_argument(
                f"--{name.replace('_', '-')}",
                default=argparse.SUPPRESS,
                help=f"(default: {value})",
                **({"action": argparse.BooleanOptionalAction} if isinstance(value, bool) else {"type": type(value)}),
            )
    return parser.parse_args(arguments)


def find_checkpoint(options: argparse.Namespace) -> tuple[Path, Checkpoint | None]:
    """The folder for results, and the checkpoint to continue from, if one is asked for."""
    default = Path(options.out) if options.out else Path("out") / "gpt"
    if options.resume is None:
        return default, None
    source = Path(options.resume) if options.resume else default
    file = source if source.is_file() else source / CHECKPOINT
    if not file.exists():
        raise FileFormatError(file, "there is no checkpoint to resume; name its folder, or start without --resume")
    return (default if options.out else file.parent), read_checkpoint(file)


def given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Those of the named options that the user gave."""
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def configure(
    options: argparse.Namespace, checkpoint: Checkpoint | None, corpus: Corpus
) -> tuple[CharTokenizer, GPTConfig, TrainingPlan]:
    """Vocabulary, sizes and numbers: the checkpoint's where there is one, else the options' and the defaults."""
    model, plan = given(options, MODEL_OPTIONS), given(options, PLAN_OPTIONS)
    if checkpoint is None:
        tokenizer = CharTokenizer.from_corpus(corpus.text)
        return tokenizer, GPTConfig(vocabulary=len(tokenizer), **model), TrainingPlan(**plan)
    try:
        tokenizer = CharTokenizer.from_json(checkpoint.checked.text("tokenizer"))
    except TextError as error:
        raise FileFormatError(checkpoint.path, f"its tokenizer cannot be used: {error}") from None
    config = checkpoint.checked.record("model", GPTConfig)
    config.require_stored(checkpoint.path, {name: s.array.shape for name, s in checkpoint.group("model").items()})
    if len(tokenizer) != config.vocabulary:
        problem = f"has a tokenizer of {len(tokenizer)} characters and a model of {config.vocabulary}"
        raise FileFormatError(checkpoint.path, problem)
    other = config.differences(replace(config, **model))
    if other:
        differences = ", ".join(f"{name} {there}, not {here}" for name, (there, here) in other.items())
        flags = " ".join(f"--{name}" for name in other)
        raise FileFormatError(
            checkpoint.path, f"holds a model with {differences}; leave out {flags}, or start anew without --resume"
        )
    return tokenizer, config, replace(checkpoint.checked.record("plan", TrainingPlan), **plan)


def load_text(options: argparse.Namespace, checkpoint: Checkpoint | None) -> Corpus:
    """The text asked for, or else the checkpoint's, or else the default."""
    if options.text or checkpoint is None:
        return load_corpus(options.text or None)
    corpus = checkpoint.checked.table("corpus")
    if corpus.entry("path") is None:
        return load_corpus(None)
    path = corpus.text("path")
    if path and os.path.exists(path) and not os.path.isfile(path):
        raise FileFormatError(checkpoint.path, f"was trained on {path:.200}, which is not a file; name it with --text")
    try:
        return load_corpus(path)
    except FileFormatError as error:
        raise FileFormatError(checkpoint.path, f"was trained on {error!s:.400}; or name it with --text") from None


def encode(corpus: Corpus, tokenizer: CharTokenizer, checkpoint: Checkpoint | None) -> np.ndarray:
    """The corpus as tokens; a note where it is not the text that the checkpoint was trained on."""
    if checkpoint is None:
        return tokenizer.encode(corpus.text)
    if checkpoint.checked.table("corpus").text("fingerprint") != corpus.fingerprint:
        say("note: this is not the text, or not the version of it, that the checkpoint was trained on")
    try:
        return tokenizer.encode(corpus.text)
    except TextError as error:
        raise FileFormatError(checkpoint.path, f"was trained on another text: {error}") from None


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def train(trainer: Trainer, model: GPT, out: Path, manifest: dict[str, Any]) -> bool:
    """Run the trainer to its end, keeping its results in `out`; False where Ctrl-C came first."""
    path = out / CHECKPOINT
    remove_leftovers(path)
    with Interrupt() as interrupt, progress(trainer.plan.steps, trainer.step) as bar:
        finished = trainer.run(lambda: trainer.save(path, manifest), bar, interrupt)
    if not plot_curves(
        out / "loss.png", trainer.history.curves(), title=f"GPT, {model.parameter_count():,} parameters"
    ):
        say("loss.png is not drawn without matplotlib: pip install matplotlib")
    if not finished:
        say(f"stopped after step {trainer.step}; continue with: python examples/gpt.py --resume {out}")
        return False
    _, train_loss, validation_loss = trainer.history.evaluations[-1]
    metrics = {
        "steps": trainer.step,
        "train_loss": train_loss,
        "val_loss": validation_loss,
        "tokens_per_s": trainer.tokens_per_second,
        "seconds": trainer.seconds,
        "device": trainer.device,
        "parameters": model.parameter_count(),
    }
    with atomic_write(out / "metrics.json") as file:
        file.write(json.dumps(metrics, indent=2).encode() + b"\n")
    say(
        f"{trainer.step} steps in {duration_text(trainer.seconds)} ({trainer.tokens_per_second:,.0f} tokens/s), "
        f"validation loss {validation_loss:.4f}; results in {out}"
    )
    return True


def write(model: GPT, tokenizer: CharTokenizer, prompt: str, options: argparse.Namespace, seed: int) -> None:
    """Print the prompt and what the model writes after it, character by character."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have every character of the text
    print(prompt, end="", flush=True)
    tokens = tokenizer.encode(prompt).tolist()
    generator = np.random.default_rng(seed)
    for token in model.generate(tokens, options.max_new_tokens, options.temperature, options.top_k, generator):
        print(tokenizer.decode([token]), end="", flush=True)
    print()


def run(options: argparse.Namespace) -> int:
    out, checkpoint = find_checkpoint(options)
    check_sampling(options.temperature, options.top_k)
    if options.max_new_tokens < 0:
        raise ArgumentError(f"--max-new-tokens is {options.max_new_tokens}; it must be at least 0")
    corpus = load_text(options, checkpoint)
    tokenizer, config, plan = configure(options, checkpoint, corpus)
    tokens = encode(corpus, tokenizer, checkpoint)
    prompt = options.prompt or ("\n" if "\n" in tokenizer.vocabulary else corpus.text[0])
    tokenizer.encode(prompt)  # an unknown character is better told before the training than after it
    training, validation = (TokenWindows(p, config.context, plan.batch) for p in split_tokens(tokens, config.context))
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out} is a file; name a folder")
    out.mkdir(parents=True, exist_ok=True)
    if checkpoint is None and (out / CHECKPOINT).exists():
        say(f"note: this starts anew and will replace {out / CHECKPOINT}; --resume would continue it")

    manual_seed(plan.seed)
    model = GPT(config)
    trainer = Trainer(model, model.loss, training, validation, plan, model.device)
    if checkpoint is not None:
        trainer.restore(checkpoint)
    say(f"text    {corpus.description}: {len(tokens):,} characters, {len(tokenizer)} distinct")
    say(
        f"model   {config.layers} layers, {config.heads} heads, width {config.width}, context {config.context}: "
        f"{model.parameter_count():,} parameters"
    )
    say(f"device  {model.device}")
    manifest = {
        "model": asdict(config),
        "tokenizer": tokenizer.to_json(),
        "corpus": {"path": corpus.path and str(corpus.path), "fingerprint": corpus.fingerprint},
    }
    if not train(trainer, model, out, manifest):
        return 130
    if options.max_new_tokens:
        write(model, tokenizer, prompt, options, plan.seed)
    return 0


def describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with command-line `arguments`; the exit status: 0, 2 for a mistake, 130 after Ctrl-C."""
    try:
        return run(parse(arguments))
    except BrokenPipeError:  # the reader of the text, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MISTAKES as error:
        say(f"gpt.py: {describe(error)}")
        return 2
    except KeyboardInterrupt:
        say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
