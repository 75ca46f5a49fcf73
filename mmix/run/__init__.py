"""One run, from a spec and a seed to results: the only room that knows every room of the laboratory."""

from mmix.run.entry import run as run
from mmix.run.reports import Finished as Finished
from mmix.run.reports import Places as Places
from mmix.run.reports import Report as Report
from mmix.run.reports import Saved as Saved
from mmix.run.reports import Started as Started
from mmix.run.reports import Trained as Trained
from mmix.run.reports import Unsaved as Unsaved
from mmix.training.checkpoint import Vouched as Vouched
