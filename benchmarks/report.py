"""What is printed and stored of a comparison of minimum cuts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.problem import Batch
from benchmarks.timing import summary

Row = dict[str, Any]


def rows(
    batch: Batch, seconds: Mapping[Contender, list[float]], memory: Mapping[Contender, float | None]
) -> list[Row]:
    """One row per contender: time, ns per edge, ratio to the reference (higher is faster)."""
    times = {contender: summary(of_rounds) for contender, of_rounds in seconds.items()}
    reference = [t["median_ms"] for c, t in times.items() if c.reference]
    return [
        {
            "label": contender.label,
            **asdict(contender),
            **time,
            "ns_per_edge": time["median_ms"] * 1e6 / batch.edges,
            "ratio": reference[0] / time["median_ms"] if reference else None,
            "peak_bytes_per_edge": memory.get(contender),
        }
        for contender, time in times.items()
    ]


def family_result(batch: Batch, generation: float, table: list[Row], skipped: Row) -> Row:
    """Everything that is stored of one family; nodes and edges are those of the whole batch."""
    return {
        "problems": len(batch.problems),
        "nodes": batch.nodes,
        "edges": batch.edges,
        "dtype": str(batch.problems[0].capacity.dtype),
        "directed": batch.problems[0].reverse is not None,
        "generation_s": generation,
        "rows": table,
        "skipped": skipped,
    }


def print_family(name: str, result: Row) -> None:
    """The table of one family."""
    count = result["problems"]
    print(
        f"\n{name}: {count} problem{'s' * (count > 1)}, {result['nodes'] // count} nodes and "
        f"{result['edges'] // count} edges each, {result['dtype']}; generated in "
        f"{result['generation_s']:.1f} s; values equal, exactly so on integers"
    )
    width = max((len(row["label"]) for row in result["rows"]), default=0)
    heads = ("ms", "q1", "q3", "ns/edge", "ratio", "bytes/edge")
    print(f"{'':{width}}" + "".join(f"{head:>11}" for head in heads))
    for row in result["rows"]:
        numbers = [f"{row[key]:11.1f}" for key in ("median_ms", "q1_ms", "q3_ms", "ns_per_edge")]
        numbers.append(optional(row["ratio"], 2))
        numbers.append(optional(row["peak_bytes_per_edge"], 0))
        print(f"{row['label']:{width}}" + "".join(numbers))
    for label, reason in result["skipped"].items():
        print(f"{label:{width}} left out: {reason}")


def optional(value: float | None, digits: int) -> str:
    """A number in its column, or a dash."""
    return f"{'-':>11}" if value is None else f"{value:11.{digits}f}"
