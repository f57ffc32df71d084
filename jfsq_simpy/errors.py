"""What can go wrong, as one family: every message says where, what, why, and the way out.

Rule  no class here has an `__init__`: SimPy rebuilds a failed process's exception from `exc.args`,
      and a custom constructor would turn a clear line into a bare TypeError.
"""


class JfsqError(Exception):
    """Base of everything this package raises on purpose; `str()` is one line for the user."""


class ModelError(JfsqError):
    """The system asked for is not one: a rate, a load, a policy or a law outside its range."""


class PlanError(JfsqError):
    """The run asked for is not one: a horizon, a warm-up, an engine that cannot do the job."""


class ScenarioError(JfsqError):
    """A scenario file is at fault; the message begins with the file and the key."""


class DataError(JfsqError):
    """A file could not be read as what it should be, or could not be written."""


class TooLargeError(JfsqError):
    """The question is well posed but would not fit; the message says what would."""


class IdentityError(JfsqError):
    """An identity that holds for every path was broken: a bug, never bad luck."""
