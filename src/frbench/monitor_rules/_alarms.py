"""What the alarm rules share: from alarms of a series or of runs to findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from frbench.formatting import decimal, scientific
from frbench.monitor_rules import MonitorEvidence
from frbench.values import ALL, Finding


def of_series(
    code: str,
    measure: str,
    evidence: MonitorEvidence,
    severity: str,
    parameters: Mapping[str, Any],
) -> list[Finding]:
    """One answer per group of a series."""
    if evidence.watched.empty:
        return []
    rows = evidence.watched[evidence.watched["measure"] == measure]
    words = {
        "rate": "rate",
        "disparity": "rate over that of all others",
    }[measure]
    found = []
    for group, each in rows.groupby("group", sort=False):
        usual = float(each["baseline"].iloc[0])
        keys: dict[str, Any] = {"measure": measure, "group": group}
        alarms = each[each["alarm"]]
        shown = scientific(usual) if measure == "rate" else decimal(usual)
        start = f"The {words} of “{group}” "
        if len(alarms):
            day = str(alarms["when"].iloc[0])
            later = each[each["evidence"].notna()]
            now = float(later["value"].tail(7).mean())
            told = scientific(now) if measure == "rate" else decimal(now)
            text = (
                f"{start}has risen {beyond(evidence.limit)} its baseline: alarm on {day}; "
                f"the last 7 days {told}, the baseline {shown}."
            )
            keys["when"] = day
            found.append(Finding(code, severity, text, keys, parameters, True))
            continue
        needed = evidence.needed.get(f"{measure}/{group}")
        if needed is None:
            text = (
                f"{start}cannot be watched: its baseline is too thin to tell a doubling "
                "from chance; give more days or more searches."
            )
            found.append(Finding(code, "undecided", text, keys, parameters))
        elif evidence.days < needed:
            text = (
                f"{start}raised no alarm in {evidence.days} days; to see it doubled would take "
                f"about {needed} days."
            )
            found.append(Finding(code, "undecided", text, keys, parameters))
        else:
            text = (
                f"{start}raised no alarm in {evidence.days} days (baseline {shown}); a doubling "
                f"would have been seen after about {needed}."
            )
            found.append(Finding(code, "note", text, keys, parameters))
    return found


def of_runs(
    code: str,
    rows: pd.DataFrame,
    evidence: MonitorEvidence,
    severity: str,
    parameters: Mapping[str, Any],
) -> list[Finding]:
    """One answer per operating point and kind, over all later runs."""
    found = []
    rows = rows[rows["ratio"].notna() | rows["baseline"].notna()]
    for (point, kind), each in rows.groupby(["operating_point", "kind"], sort=False):
        keys: dict[str, Any] = {"operating_point": point, "kind": kind}
        what = {"FMR": "false-match rate", "FNMR": "miss rate"}.get(
            str(kind), f"{str(kind).removesuffix(' gap')} beside the other groups'"
        )
        alarms = each[each["alarm"]]
        if len(alarms):
            first = alarms.iloc[0]
            listed = "; ".join(
                f"{_whose(row)}{decimal(row['ratio'])} times ({decimal(row['ratio_low'])}–"
                f"{decimal(row['ratio_high'])}) in {row['run']}"
                for row in alarms.drop_duplicates("group").to_dict("records")
            )
            text = (
                f"At {point} the {what} has risen {beyond(evidence.limit)} the approved "
                f"run's: {listed}."
            )
            keys |= {"run": first["run"], "group": first["group"]}
            found.append(Finding(code, severity, text, keys, parameters, True))
            continue
        last = each[each["run"] == each["run"].iloc[-1]]
        silent = last[last["p_value"].isna()]
        if len(silent):
            names = ", ".join(filter(None, (_whose(row).strip() for _, row in silent.iterrows())))
            text = (
                f"At {point} the {what} of the last run cannot be compared with the approved "
                f"run's{f' for {names}' if names else ''}: too few errors on one side."
            )
            found.append(Finding(code, "undecided", text, keys, parameters))
            continue
        most = last.loc[last["ratio"].idxmax()]
        text = (
            f"At {point} the {what} raised no alarm; in the last run at most "
            f"{_whose(most)}{decimal(most['ratio'])} times the approved run's "
            f"({decimal(most['ratio_low'])}–{decimal(most['ratio_high'])})."
        )
        found.append(Finding(code, "note", text, keys, parameters))
    return found


def beyond(limit: float) -> str:
    """``above``, or how far above."""
    return "above" if limit == 1 else f"beyond {limit:g} times"


def _whose(row: Any) -> str:
    return "all together " if row["group"] == ALL else f"“{row['group']}” "
