"""The tables of ``docs/comparison.md``, written by ``mmgat-train compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmgat.model.labels import FAMILIES
from mmgat.training.comparators.registry import SYSTEMS
from mmgat.training.errors import TrainingDataError

BEGIN: Final = "<!-- written by mmgat-train compare: begin -->"
END: Final = "<!-- end -->"

Seeds = Mapping[str, Sequence[dict[str, Any]]]

PUBLISHED_MMGAT: Final = "OpenMIC+IRMAS .63"


def published(row: dict[str, Any]) -> str:
    """What the authors report of a row's system, in the F1 of their own data."""
    if row["name"] == "mmgat":
        return PUBLISHED_MMGAT
    system = SYSTEMS.get(row["network"])
    has_variants = "-seconds", "-shuffled", "-mixup", "-without-acevae", "-stft", "-cwt"
    if system is None or row["name"].endswith(has_variants):
        return "-"
    return system.published


def _interval(part: dict[str, Any], name: str) -> str:
    low, high = part[f"{name}_interval"]
    return f"{part[name]:.3f} ({low:.2f} to {high:.2f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def tables(
    rows: Sequence[dict[str, Any]],
    seeds: Seeds | None = None,
    by_chance: Mapping[str, float] | None = None,
    by_rule: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """All tables in Markdown, best on real playing first.

    Args:
        rows: of ``compare``.
        seeds: name of a system -> its evaluations by seed, of ``seeds_of``.
        by_chance: of ``chance``.
        by_rule: of ``aggregations``, of ConvNet (Han).
    """
    rows = sorted(rows, key=lambda row: -row["phrases"]["map"])
    costs = _table(
        ("system", "features", "parameters", "GFLOP", "hyper-parameters", "training",
         "on the processor", "features", "network"),
        [
            (
                row["name"],
                row["features"],
                f"{row['parameters']:,}",
                "-" if row["gflop"] is None else f"{row['gflop']:.2g}",
                row["settings"],
                f"{row['training_s'] / 60:.1f} min",
                "-" if row["processor_s"] is None else f"{row['processor_s'] / 60:.1f} min",
                f"{row['features_ms']:.1f} ms",
                f"{row['network_ms']:.1f} ms",
            )
            for row in rows
        ],
    )  # fmt: skip
    main = _table(
        ("system", "as published, F1 micro / macro", "mixtures: mAP", "LRAP", "F1 micro", "F1 macro",
         "real playing: mAP", "LRAP", "F1 micro", "F1 macro"),
        [
            (
                row["name"],
                published(row),
                *(
                    cell
                    for part in (row["evaluation"], row["phrases"])
                    for cell in (
                        _interval(part, "map"),
                        f"{part['lrap']:.3f}",
                        _interval(part, "micro"),
                        f"{part['macro']:.3f}",
                    )
                ),
            )
            for row in rows
        ],
    )  # fmt: skip
    noise = _table(
        ("system", "none", "10 % noise", "20 % noise"),
        [
            (
                row["name"],
                *(
                    f"{part['map']:.3f} / {part['micro']:.3f}"
                    for part in (
                        row["evaluation"],
                        row["evaluation"]["noise_0.1"],
                        row["evaluation"]["noise_0.2"],
                    )
                ),
            )
            for row in rows
        ],
    )
    families = _table(
        ("system", *FAMILIES),
        [
            (
                row["name"],
                *(
                    f"{value:.2f}" if (value := row["evaluation"]["per_family"].get(name)) else "-"
                    for name in FAMILIES
                ),
            )
            for row in rows
        ],
    )
    n_train, n_mixtures, n_phrases = (
        rows[0]["training_clips"], rows[0]["evaluation"]["clips"], rows[0]["phrases"]["clips"]
    )  # fmt: skip
    head = (
        f"Trained on {n_train:,} clips; {n_mixtures} mixtures and {n_phrases} clips of real playing "
        "evaluate. One seed each; 95 % intervals are bootstrapped over the clips."
    )
    if by_chance is not None:
        mixtures, phrases = (by_chance[part] for part in ("evaluation", "phrases"))
        head += (
            f" Scores by chance have mAP {mixtures:.3f} on mixtures, {phrases:.3f} on real playing."
        )
    return "\n\n".join(
        [
            head,
            main,
            "What each costs. Training takes longer on a busy machine than it is on the processor; the "
            "last two columns are processor time for ten seconds of sound:",
            costs,
            "Noise on the features of mixtures, mAP / micro F1:",
            noise,
            "Average precision of families on mixtures:",
            families,
            *_spread(seeds or {}),
            *_aggregated(by_rule or {}),
        ]
    )


def _spread(seeds: Seeds) -> list[str]:
    """A table of the systems with several seeds: mean and standard deviation."""
    several = {name: found for name, found in seeds.items() if len(found) > 1}
    if not several:
        return []
    table = _table(
        ("system", "seeds", "mixtures: mAP", "F1 micro", "real playing: mAP", "F1 micro"),
        [
            (
                name,
                str(len(found)),
                *(
                    f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
                    for part in ("evaluation", "phrases")
                    for figure in ("map", "micro")
                    if (values := [each[part][figure] for each in found])
                ),
            )
            for name, found in several.items()
        ],
    )
    return [
        "Several seeds, mean and standard deviation (the SVM on whole clips has no randomness):",
        table,
    ]


def _aggregated(by_rule: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of ConvNet (Han) with each aggregation."""
    if not by_rule:
        return []
    table = _table(
        ("aggregation", "threshold", "mixtures: F1 micro", "F1 macro", "real playing: F1 micro",
         "F1 macro"),
        [
            (
                name,
                f"{found['threshold']:.2f}",
                *(
                    f"{found[part][figure]:.3f}"
                    for part in ("evaluation", "phrases")
                    for figure in ("micro", "macro")
                ),
            )
            for name, found in by_rule.items()
        ],
    )  # fmt: skip
    return [
        "ConvNet (Han) with its two aggregations, one threshold for all labels, chosen on held-out "
        "clips:",
        table,
    ]


def write_page(page: Path, written: str) -> None:
    """Replaces what stands between the page's markers by ``tables``.

    Raises:
        TrainingDataError: the page or its markers are missing.
    """
    try:
        text = page.read_text("utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
    except (OSError, ValueError) as error:
        raise TrainingDataError(
            f"expected {page} with the lines {BEGIN!r} and {END!r}, found {error}"
        ) from None
    page.write_text(f"{before}{BEGIN}\n\n{written}\n\n{END}{after}", "utf-8")
