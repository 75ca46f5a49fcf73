"""All claims."""

from mmix.suites.claims import ablations, manuscript, mechanisms, tables
from mmix.suites.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (*tables.CLAIMS, *ablations.CLAIMS, *mechanisms.CLAIMS, *manuscript.CLAIMS)


def of_suite(name: str) -> tuple[Claim, ...]:
    """The claims in this suite's table."""
    return tuple(claim for claim in CLAIMS if claim.suite == name)
