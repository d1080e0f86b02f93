"""A description of the measured set in the vocabulary of Croissant (MLCommons), as JSON-LD.

The description lists no image and no person: its only file is the table of persons and images per
group. ``conformsTo`` names the vocabulary's version for readers; nobody has certified the file.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from frbench.evidence.facts import RunFacts, limits_of
from frbench.formatting import integer
from frbench.runs import FORMULA_STARTS

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
COLUMNS = (
    ("group", "sc:Text", "group formed from the set's labels"),
    ("subjects", "sc:Integer", "persons with an image in the group"),
    ("images", "sc:Integer", "images in the group"),
    ("failed", "sc:Integer", "images from which no template could be made"),
)
COUNTS = "groups.csv"


def dataset_description(run: RunFacts, counts: bytes, name: str) -> dict[str, Any]:
    """The JSON-LD object for the set of one run.

    Args:
        run: a run that measured a matcher on a set.
        counts: bytes of the table of groups, as it lies in the pack.
        name: name of that table's file, beside the description.
    """
    told = run.benchmark
    about = {str(key): str(value) for key, value in (told.get("about") or {}).items()}
    kind = "synthetic faces" if told.get("synthetic") else "photographs of faces"
    words = (
        f"{kind.capitalize()} used to measure a face matcher: {integer(told.get('images'))} images "
        f"of {integer(told.get('subjects'))} persons. The images are not part of this description."
    )
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": str(told.get("name", "set")),
        "description": words,
        "version": str(told.get("version", "not recorded")),
        "license": about.get("licence") or about.get("license") or "not recorded",
        "rai:dataCollection": "; ".join(f"{key}: {value}" for key, value in about.items()),
        "rai:dataAnnotationProtocol": f"Group labels: {run.label_source}.",
        "rai:dataLimitations": " ".join(limits_of(run)),
        "rai:dataBiases": f"Persons and images per group differ; see {name}.",
        "rai:personalSensitiveInformation": _sensitive(run),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "groups",
                "name": name,
                "description": "Persons, images and failures to enrol per group.",
                "contentUrl": name,
                "encodingFormat": "text/csv",
                "sha256": hashlib.sha256(counts).hexdigest(),
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "composition",
                "name": "composition",
                "description": "One record per group.",
                "field": [_column(*each) for each in COLUMNS],
            }
        ],
    }
    address = about.get("url") or about.get("homepage")
    if address:
        described["url"] = address
    return described


def counts_csv(run: RunFacts) -> bytes:
    """The table of groups as CSV; a label that a spreadsheet would run gets an apostrophe."""
    assert run.data is not None
    table: pd.DataFrame = run.data.counts.copy()
    table["group"] = ["'" + g if g.startswith(FORMULA_STARTS) else g for g in table["group"]]
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _column(name: str, kind: str, words: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"composition/{name}",
        "name": name,
        "description": words,
        "dataType": kind,
        "source": {"fileObject": {"@id": "groups"}, "extract": {"column": name}},
    }


def _sensitive(run: RunFacts) -> str:
    if run.benchmark.get("synthetic"):
        return "None: the faces are synthetic."
    labels = ", ".join(run.labels) or "group labels"
    return (
        f"Images of faces (biometric data) and labels ({labels}); neither images nor identities of "
        "persons are in this description."
    )
