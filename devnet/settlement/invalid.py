"""The one way in which the settlement layer says that something does not hold."""


class Invalid(Exception):
    """A transaction, agreement or SDL that breaks a rule.

    Parameters
    ----------
    code : name of the rule, e.g. ``NONCE`` or ``PV_MISMATCH:epoch``; listed in
        ``docs/devnet.md``.
    message : what was expected and what stood there.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")
