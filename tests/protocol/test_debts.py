"""XEP-0198 §4: what must be on disk before a peer is told that it was handled."""

from commonroom.protocol.debts import Owed


class Message:
    """One that can be written."""

    def __init__(self, id: int) -> None:
        self.id = id
        self.is_settled = False

    def secure(self) -> None:
        self.is_settled = True


def test_all_before_the_last_are_secured_also_if_that_had_come_before_under_a_smaller_id():
    owed, messages = Owed(is_client=False), [Message(7), Message(3)]
    for message in messages:
        owed.add(message)
    owed.secure(owed.last())
    assert [message.is_settled for message in messages] == [True, True]
    assert owed.last() is None
