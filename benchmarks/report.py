"""The tables: medians, and ratios of Demijohn to each peer taken round by round."""

import os
import platform
import re
from pathlib import Path
from statistics import median

from .load import Samples
from .peer import Peer

__all__ = ["cost_table", "ratio_table", "setting", "write_between_markers"]


def cost_table(samples: Samples, peers: list[Peer]) -> str:
    """CPU microseconds per request, the medians."""
    names = list(samples)
    lines = ["| server | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    lines += [
        f"| {p.label} | "
        + " | ".join(f"{median(samples[name][p.name]):.1f}" if p.name in samples[name] else "" for name in names)
        + " |"
        for p in peers
    ]
    return "\n".join(lines)


def ratio_table(samples: Samples, peers: list[Peer], *, reference: str) -> str:
    """How much of each peer's CPU time the reference takes: the median over the rounds of the ratio in each round."""
    names = list(samples)
    label = next(peer.label for peer in peers if peer.name == reference)
    lines = [f"| {label} to | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for peer in peers:
        if peer.name != reference:
            ratios = [
                f"{median(a / b for a, b in zip(samples[name][reference], samples[name][peer.name], strict=True)):.2f}"
                if peer.name in samples[name]
                else ""
                for name in names
            ]
            lines.append(f"| {peer.label} | " + " | ".join(ratios) + " |")
    return "\n".join(lines)


def setting(peers: list[Peer], *, rounds: int, seconds: float, busy: float) -> str:
    """One paragraph: on what, with what and how it was measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    processor = model.group(1) if model else platform.machine()
    versions = "; ".join(dict.fromkeys(peer.versions() for peer in peers if peer.name != "demijohn"))
    text = (
        f"Measured by `scripts/bench` on {os.cpu_count()} cores of {processor}, Linux, Python 3.13: one core for the "
        f"servers, one for `wrk -t1 -c32`; {rounds} rounds of {seconds:g} s, interleaved; medians. With {versions}."
    )
    if busy:
        text += f" Other programs took {busy:.0%} of the machine: take the microseconds with care, the ratios less so."
    return text


def write_between_markers(path: Path, text: str, *, name: str = "bench") -> None:
    """Replace what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->` in a page."""
    page = path.read_text()
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{path} has no markers <!-- {name}:start --> and <!-- {name}:end -->")
    path.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page))
