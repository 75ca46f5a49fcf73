"""Small copies of all data sets, from the tests of the data."""

from tests.data.conftest import write
from tests.data.test_every_kind import data_folder

__all__ = ["data_folder", "write"]
