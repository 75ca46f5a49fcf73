"""The ways to do harm, a module for each kind of victim."""
