"""A client in a room (XEP-0045): it speaks, and comes in again when it must; the owner changes lists, too."""

import asyncio
from random import Random

from commonroom.xml.element import Element
from crash import stanzas
from crash.catching_up import Query
from crash.client import Client, Habits, World
from crash.hall import Hall
from crash.ledger import Key
from crash.wire import Gone

# Before the next attempt to come in, in seconds.
ENTER_AGAIN = 0.2
ANSWER_SECONDS = 20.0
AFFILIATIONS = ("member", "outcast")
# Who is on a list already is moved to another one so often.
MOVE_CHANCE = 0.3


class Speaker(Client):
    """What is acknowledged to it must be in the room's archive; a partner it has not."""

    def __init__(self, account: int, habits: Habits, world: World, random: Random, hall: Hall) -> None:
        super().__init__(account, habits, world, random)
        self._hall = hall
        self._is_inside = False
        self._requests = 0
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self.is_owner = False

    @property
    def is_at_rest(self) -> bool:
        return super().is_at_rest and self._is_inside

    async def lists(self) -> dict[str, str]:
        """Who is what to the room, as the owner is told; raises OSError, or TimeoutError."""
        found = {}
        for affiliation in AFFILIATIONS:
            name = f"list-{affiliation}"
            answer = self._answers[name] = asyncio.get_running_loop().create_future()
            self._send(stanzas.listed(name, self._hall.address, affiliation), None)
            async with asyncio.timeout(ANSWER_SECONDS):
                for item in stanzas.items(await answer):
                    found[item.get("jid", "")] = affiliation
        return found

    def _announce(self) -> None:
        super()._announce()
        self._enter()

    def _enter(self) -> None:
        self._is_inside = False
        self._send(stanzas.enter(self._hall.address, f"speaker {self.account}"), None)

    def _enter_again(self) -> None:
        self._is_inside = False
        wire = self._wire

        def enter() -> None:
            if wire is not None and self._wire is wire and self._online.is_set() and not self._is_inside:
                self._enter()

        asyncio.get_running_loop().call_later(ENTER_AGAIN, enter)

    def _write_burst(self) -> None:
        if not self._is_inside:
            return
        super()._write_burst()
        if self.is_owner:
            self._change_lists()

    def _text(self, key: Key) -> str:
        return stanzas.groupchat(key, self._hall.address)

    def _change_lists(self) -> None:
        lists = self._hall.lists
        self._requests += 1
        person, affiliation = f"guest{self._requests}@elsewhere.example", self._random.choice(AFFILIATIONS)
        if lists.people and self._random.random() < MOVE_CHANCE:
            person = self._random.choice(list(lists.people))
            affiliation = self._random.choice((*AFFILIATIONS, "none"))
        name = f"request-{self._requests}"
        lists.ask(name, person, affiliation)
        self._send(stanzas.affiliate(name, self._hall.address, person, affiliation), None)

    def _take_message(self, message: Element) -> None:
        if archived := message.child(stanzas.NS_ARCHIVE, "result"):
            self.archive.take(archived)
        elif key := stanzas.key_of(message):
            assert self._session is not None
            if message.get("type") == "error":
                self._ledger.refused(key)
            else:
                id = stanzas.archive_id(message, self._hall.address)
                self._ledger.shown(key, self._session, id)

    def _take_presence(self, presence: Element) -> None:
        """It is in the room when it sees itself there; whoever is put out by a fault comes back."""
        if presence.get("type") == "error":
            self._enter_again()
        elif stanzas.is_own(presence):
            self._is_inside = presence.get("type") is None
            if not self._is_inside:
                self._enter_again()

    def _take_iq(self, iq: Element) -> None:
        name = iq.get("id", "")
        answer = self._answers.get(name)
        if answer is not None and not answer.done():
            answer.set_result(iq)
        elif iq.get("type") in ("result", "error") and name.startswith("request-"):
            self._hall.lists.answer(name, iq.get("type") == "result")
        else:
            super()._take_iq(iq)

    def _ask(self, query: Query) -> None:
        if not self._online.is_set():
            raise Gone("offline")
        self._send(stanzas.archive_page(query.name, query.after, query.limit, self._hall.address), None)


def make_speaker(account: int, habits: Habits, world: World, seed: int, hall: Hall) -> Speaker:
    """One whose choices depend on the seed and its account only."""
    return Speaker(account, habits, world, Random(f"{seed}/{account}"), hall)
