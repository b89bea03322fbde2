"""Those who handle what comes for the accounts of this service, by kind."""

from typing import NamedTuple

from commonroom.core.iq import IqHandlers
from commonroom.core.presence import Presences
from commonroom.core.questions import Questions
from commonroom.core.subscription import Subscriptions


class Handlers(NamedTuple):
    """Requests, answers to the server's own, presence, and what changes subscriptions."""

    iqs: IqHandlers
    questions: Questions
    presences: Presences
    subscriptions: Subscriptions
