"""Versions of Exchange: what they call themselves, and what they know."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMAS = (
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2015",
    "Exchange2016",
)
"""What a request may ask for, oldest first."""


@dataclass(frozen=True)
class Version:
    """A product: its build, the newest schema that it knows, and the token it answers with."""

    name: str
    build: tuple[int, int, int, int]
    schema: str
    token: str = ""

    def knows(self, schema: str) -> bool:
        """Whether a request for this schema, or an element of it, is understood."""
        return SCHEMAS.index(schema) <= SCHEMAS.index(self.schema)

    @property
    def attributes(self) -> str:
        """The attributes of ServerVersionInfo."""
        names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
        parts = [f'{name}="{part}"' for name, part in zip(names, self.build, strict=True)]
        return " ".join([*parts, f'Version="{self.token}"'] if self.token else parts)


VERSIONS = {
    version.name: version
    for version in (
        Version("Exchange2007_SP1", (8, 1, 240, 5), "Exchange2007_SP1"),
        Version("Exchange2010", (14, 0, 639, 21), "Exchange2010", "Exchange2010"),
        Version("Exchange2010_SP1", (14, 1, 218, 15), "Exchange2010_SP1", "Exchange2010_SP1"),
        Version("Exchange2010_SP3", (14, 3, 123, 4), "Exchange2010_SP2", "Exchange2010_SP2"),
        Version("Exchange2013", (15, 0, 847, 32), "Exchange2013_SP1", "V2_23"),
        Version("Exchange2016", (15, 1, 2507, 6), "Exchange2016", "V2017_07_11"),
        Version("Exchange2019", (15, 2, 1544, 4), "Exchange2016", "V2017_07_11"),
        Version("ExchangeSE", (15, 2, 2562, 17), "Exchange2016", "V2017_07_11"),
    )
}
USUAL = VERSIONS["ExchangeSE"]
