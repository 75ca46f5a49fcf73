"""What follows from measured values: paired statistics and verdicts."""

from mmix.comparison.analysis import Analysis as Analysis
from mmix.comparison.analysis import analyse as analyse
from mmix.comparison.power import planned as planned
from mmix.comparison.question import Arm as Arm
from mmix.comparison.question import Question as Question
from mmix.comparison.question import Unit as Unit
