# SPDX-License-Identifier: Apache-2.0
"""A line of the table."""

from dataclasses import dataclass, field


@dataclass
class Result:
    """One line of the table."""

    row: str
    unit: str
    target: str
    apus: str
    nginx: str
    ratio: str
    met: bool | None
    details: dict = field(default_factory=dict)
    runs: list = field(default_factory=list)
    note: str = ""
