"""Who looks, and what they may do.

On this machine nobody signs in: a caller that reaches a port of the loopback counts as the person who started the UI.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum

from evergreen import settings
from evergreen.lake import audit_log

LONGEST_NAME = 200  # letters of a name that a proxy or provider gives


class Role(IntEnum):
    """What somebody may do; each role may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3

    @property
    def word(self) -> str:
        """As settings and keys name it."""
        return self.name.lower()


@dataclass(frozen=True)
class Visitor:
    """Who sent a request.

    Attributes
    ----------
    name : str
        For the audit log.
    role : Role
    session : str
        What the tokens of the person's forms are bound to: who they are, and which session it is.
    signed_in : bool
        Whether there is a session that can be ended.
    """

    name: str
    role: Role
    session: str = ""
    signed_in: bool = False

    @property
    def form_token(self) -> str:
        """What a form has to send back; another site cannot read it, and another session's is another one."""
        return signature("form", f"{self.name}\n{self.session}")

    def wrote(self, token: str) -> bool:
        """Whether a form that sends this was on a page for this visitor."""
        return hmac.compare_digest(token.encode(), self.form_token.encode())


NOBODY = Visitor("", Role.VIEWER)


def signature(purpose: str, text: str) -> str:
    """A signature of this installation on a text, for one purpose."""
    return hmac.new(settings.secret(), f"ui {purpose}\n{text}".encode(), hashlib.sha256).hexdigest()


def owner() -> Visitor:
    """The person who started the UI."""
    return Visitor(audit_log.person(), Role.APPROVER)
