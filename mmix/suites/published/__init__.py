"""Published figures: immutable records, each with its source, beside which mmix's own results can stand."""

from mmix.suites.published.entry import Record as Record
from mmix.suites.published.entry import Setting as Setting
from mmix.suites.published.entry import Source as Source
from mmix.suites.published.likeness import Likeness as Likeness
from mmix.suites.published.likeness import setting_matches as setting_matches
from mmix.suites.published.lookup import checksum as checksum
from mmix.suites.published.lookup import find as find
from mmix.suites.published.lookup import matching as matching
from mmix.suites.published.lookup import record as record
from mmix.suites.published.lookup import records as records
from mmix.suites.published.lookup import sources as sources
