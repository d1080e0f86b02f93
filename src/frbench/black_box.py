"""Black-box matchers, from the set to the tally: enrol every image, choose comparisons, ask.

The counterpart of ``embedding`` and ``comparison`` for matchers that show no vectors; what comes
out is the same ``ScoreTally``. How a vendor is asked is in ``opaque/``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from frbench.comparison import ComparisonSpec
from frbench.counting.images import code_images, group_column
from frbench.digests import digest_of
from frbench.errors import InputError
from frbench.opaque.enrolling import Templates, enrol_all
from frbench.opaque.pairs import choose_pairs, tally_of
from frbench.opaque.persisting import Persistence
from frbench.opaque.scoring import score_all
from frbench.opaque.template_store import TemplateStore
from frbench.opaque.vendor import Vendor
from frbench.preparing import check_images
from frbench.progress import Stages
from frbench.settings import OperatingPoint
from frbench.values import FaceSet, ScoreTally, Threshold


@dataclass(frozen=True)
class Surroundings:
    """What a black box is run with.

    Attributes:
        cache: folder for templates and unfinished work; None keeps nothing.
        unreadable: ``error`` or ``fail_to_enrol``, as for every matcher.
        stages: shows what is going on.
        label: appended to the names of the stages.
    """

    cache: Path | None
    unreadable: str
    stages: Stages
    label: str = ""


def count_black_box(
    faces: FaceSet,
    vendor: Vendor,
    spec: ComparisonSpec,
    around: Surroundings,
    rng: np.random.Generator,
) -> tuple[ScoreTally, dict[str, Any]]:
    """All comparisons that the budget allows, counted, and the matcher's record.

    Args:
        faces: the grouped set.
        spec: its impostor policy and number of histogram bins.
        rng: chooses comparisons where there are more than the budget allows.

    Raises InputError as ``enrol_all`` and ``score_all``.
    """
    if faces.members is not None:
        raise InputError(
            f"{faces.name} has templates of several images each, which a black box cannot pool; "
            "take a set, or a protocol, of single images"
        )
    with closing(vendor):
        return _count(faces, vendor, spec, around, rng)


def _count(
    faces: FaceSet,
    vendor: Vendor,
    spec: ComparisonSpec,
    around: Surroundings,
    rng: np.random.Generator,
) -> tuple[ScoreTally, dict[str, Any]]:
    vendor.info()
    persistence = Persistence(f"matcher {vendor.name}", vendor.effort.retries)
    templates = _templates(faces, vendor, persistence, around)
    images = code_images(
        templates.images, faces.faces, () if faces.pairs is not None else spec.same
    )
    groups = tuple(str(name) for name in group_column(faces.faces).cat.categories)
    chosen = choose_pairs(faces, images, groups, policy=spec.policy, effort=vendor.effort, rng=rng)
    score = np.full(len(chosen.first), np.nan)
    askable = chosen.askable
    with around.stages(f"asking {int(askable.sum()):,} comparisons{around.label}") as progress:
        scored = score_all(
            vendor,
            templates.blobs,
            chosen.first[askable],
            chosen.second[askable],
            persistence,
            unfinished=None
            if around.cache is None
            else around.cache / "black-boxes" / "unfinished",
            progress=progress,
        )
    score[askable] = scored.score
    work: dict[str, float | int | str] = {
        **scored.checks,
        **{name: int(n) for name, n in sorted(persistence.trouble.items())},
    }
    tally = tally_of(chosen, score, work, spec.histogram_bins)
    return tally, _record(vendor, templates)


def with_statement(point: OperatingPoint, matcher: Mapping[str, Any]) -> OperatingPoint:
    """The operating points with those that the vendor states; what the user states wins."""
    rows = matcher.get("stated", ())
    stated: dict[str | float, float] = {float(row["fmr"]): float(row["score"]) for row in rows}
    if not stated:
        return point
    vendor = matcher["vendor"]
    by = point.stated_by or f"{vendor['name']} {vendor['version']}"
    return replace(point, stated={**stated, **point.stated}, stated_by=by)


def shared_points(
    before: tuple[Threshold, ...], after: tuple[Threshold, ...]
) -> tuple[tuple[Threshold, ...], tuple[Threshold, ...]]:
    """The operating points that both arms have: each vendor may state rates of its own."""
    labels = {each.label for each in before} & {each.label for each in after}
    one, other = (tuple(t for t in arm if t.label in labels) for arm in (before, after))
    return one, other


def _templates(
    faces: FaceSet, vendor: Vendor, persistence: Persistence, around: Surroundings
) -> Templates:
    if around.unreadable == "error":
        with around.stages(f"checking image files{around.label}"):
            check_images(faces)
    folder = None
    if around.cache is not None:
        key = digest_of(dict(vendor.identity()))
        folder = around.cache / "black-boxes" / "templates" / key
    with around.stages(f"enrolling{around.label}") as progress:
        templates = enrol_all(
            vendor,
            faces,
            persistence,
            store=TemplateStore(folder),
            unreadable=around.unreadable,
            progress=progress,
        )
    if not templates.images.enrolled.any():
        reason, count = Counter(map(str, templates.images.failure)).most_common(1)[0]
        raise InputError(
            f"no image of {faces.name} gave a template of {vendor.name}; the commonest reason, for "
            f"{count} of {len(templates.blobs)}: {reason}"
        )
    return templates


def _record(vendor: Vendor, templates: Templates) -> dict[str, Any]:
    info = vendor.info()
    sizes = [len(each) for each in templates.blobs if each is not None]
    return {
        "name": vendor.name,
        "fingerprint": templates.images.fingerprint,
        "black_box": True,
        "vendor": {"name": info.name, "version": info.version},
        "stated": info.plain()["thresholds"],
        "identity": dict(vendor.identity()),
        "template_bytes": {"least": min(sizes), "most": max(sizes)},
    }
