"""What the documents claim, in our words, and what decides each claim."""

from mmix.suites.claims.claim import DOCUMENTS as DOCUMENTS
from mmix.suites.claims.claim import Claim as Claim
from mmix.suites.claims.claim import Document as Document
from mmix.suites.claims.lists import CLAIMS as CLAIMS
from mmix.suites.claims.lists import of_suite as of_suite
