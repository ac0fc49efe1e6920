"""The one way in which the gateway refuses a request.

Every rule raises it, and ``app`` turns it into HTTP 500 with its text, since delta's API declares
no other error for a refusal. The text begins with the rule's name, listed in ``docs/devnet.md``.
"""


class Refused(Exception):
    """A request that breaks a rule; answered as HTTP 500 with this text.

    Parameters
    ----------
    rule : short upper-case name of the rule, e.g. ``NONCE``.
    detail : what was expected and what stood there.
    position : place in the posted array, or None when the whole request is meant.
    """

    def __init__(self, rule: str, detail: str, position: int | None = None) -> None:
        self.rule = rule
        self.detail = detail
        self.position = position
        place = "" if position is None else f"verifiable {position}: "
        super().__init__(f"{rule}: {place}{detail}")

    def at(self, position: int) -> "Refused":
        """Same refusal with the place in the posted array."""
        return Refused(self.rule, self.detail, position)
