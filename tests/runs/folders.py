"""A run whose folders hold nothing but a file and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m2trec_merlin.config import Config
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run, Verb

SETTINGS: dict[str, Any] = {
    "name": "shop",
    "data": {"source": "synthetic", "split": {"kind": "time"}},
    "attributes": [{"name": "title", "kind": "text"}, {"name": "brand", "kind": "categorical"}],
    "model": {"next_attributes": [{"attribute": "brand"}]},
}
#: What no configuration tells.
FACTS: dict[Verb, dict[str, Any]] = {"evaluate": {"split": "test"}, "train": {"model_format": 1}}


def configure(folder: Path, change: str = "", value: Any = None, mixture: str = "tuned") -> Config:
    """The shop with one dotted setting changed; `attributes.title.dim` is that of the attribute `title`."""
    served = {"serving": {"mixture": {"kind": mixture}}}
    raw = Config.model_validate({**SETTINGS, **served, "work_dir": folder}).model_dump(mode="json")
    part: Any = raw
    *keys, last = change.split(".") if change else ["nothing"]
    for key in keys:
        part = next(p for p in part if p["name"] == key) if isinstance(part, list) else part[key]
    if change:
        part[last] = value
    return Config.model_validate(raw)


def do(run: Run, verb: Verb, content: str = "result") -> None:
    """What a verb leaves."""
    step = run.step(verb)
    step.folder.mkdir(parents=True, exist_ok=True)
    (step.folder / "result").write_text(f"{verb} {content}")
    write_manifest(step.folder, verb, step.inputs(**FACTS.get(verb, {})))
