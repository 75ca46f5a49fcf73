"""mmix: honest comparisons of mixing regularisers, on one machine or many."""

__version__ = "0.1.0"
